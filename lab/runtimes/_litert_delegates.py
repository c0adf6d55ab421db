"""Delegates of LiteRT: which there are, which of them this machine has, how the others are brought,
and loading one.
"""

from __future__ import annotations

import ctypes
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lab.errors import InvalidOption
from lab.plugs import Provider

_LIBRARIES = {
    "edgetpu": (
        "libedgetpu.so*",
        (
            "Coral's Edge TPU needs the package libedgetpu1-std, the stick or board, and a file"
            " compiled by edgetpu_compiler"
        ),
    ),
    "qnn": (
        "libQnnTFLiteDelegate.so*",
        "Qualcomm's NPU needs a Snapdragon and the AI Engine Direct SDK, which has the library",
    ),
    "teflon": (
        "libteflon.so*",
        (
            "NPUs that Mesa drives (VeriSilicon, Rockchip) need the package mesa-teflon-delegate"
            " and Linux on such a board"
        ),
    ),
    "armnn": (
        "libarmnnDelegate.so*",
        "Arm NN, for Arm's CPUs and GPUs, comes as a library for Linux on Arm",
    ),
}
_NOT_LIBRARIES = {
    "gpu": (
        "Not in the Python package's interpreter: TensorFlow's GPU delegate (OpenCL, OpenGL) is"
        " built from its sources, with a tflite_plugin_create_delegate around it, and named in the"
        " option delegate"
    ),
    "nnapi": "Only on Android, and in LiteRT's Android libraries: the Python package has none",
    "coreml": (
        "Only on iOS and macOS, and in LiteRT's frameworks for them: the Python package has none"
    ),
    "hexagon": "Only on Android, in LiteRT's library tensorflow-lite-hexagon; its successor is qnn",
}
_FOLDERS = (
    "/usr/local/lib",
    "/usr/lib",
    "/lib",
    f"/usr/lib/{platform.machine()}-linux-gnu",
    "/opt/lib",
)


_EXPORTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")


def load(library: str) -> Any:
    """A delegate that a person brought as a library.

    Raises:
        InvalidOption: there is no such library, it is no delegate, or it finds no device.
    """
    from ai_edge_litert.interpreter import load_delegate

    try:
        opened = ctypes.PyDLL(library)
        if absent := [name for name in _EXPORTS if not hasattr(opened, name)]:
            raise ValueError(f"it lacks the function {absent[0]}")
        return load_delegate(library)
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidOption(
            "The option 'delegate' names no delegate that can be loaded:"
            f" {' '.join(str(error).split())[:300]}",
            allowed=f"a shared library for this machine with {' and '.join(_EXPORTS)}",
            given=library,
            remedy="Check the path, and whether its device is plugged in",
        ) from error


def providers() -> tuple[Provider, ...]:
    """XNNPACK, which the package has, and the delegates that a person can bring.

    One that comes as a library counts as available where the library lies in a usual folder, or in
    LD_LIBRARY_PATH; whether
    its device is there only loading it tells.
    """
    libraries = [_from_library(name, pattern, why) for name, (pattern, why) in _LIBRARIES.items()]
    return (
        _xnnpack(),
        *libraries,
        *(Provider(name, False, why) for name, why in _NOT_LIBRARIES.items()),
    )


def _xnnpack() -> Provider:
    try:
        number = version("ai-edge-litert")
    except PackageNotFoundError:
        return Provider("xnnpack", False, "Run: pip install ai-edge-litert")
    return Provider(
        "xnnpack", True, f"Built into ai-edge-litert {number}; the option xnnpack turns it off"
    )


def _from_library(name: str, pattern: str, why: str) -> Provider:
    folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), *_FOLDERS]
    found = [
        str(path) for folder in folders if folder for path in sorted(Path(folder).glob(pattern))
    ]
    if found:
        return Provider(name, True, f"Name {found[0]} in the option delegate. {why}")
    return Provider(name, False, f"{why}. Then name it in the option delegate")
