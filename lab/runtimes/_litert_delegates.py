"""Delegates of LiteRT: known delegates, their availability on this machine, and loading."""

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
            "Coral's Edge TPU needs the package libedgetpu1-std, the USB stick or board, and a file"
            " compiled by edgetpu_compiler"
        ),
    ),
    "qnn": (
        "libQnnTFLiteDelegate.so*",
        "Qualcomm's NPU needs a Snapdragon and the AI Engine Direct SDK, which contains the"
        " library",
    ),
    "teflon": (
        "libteflon.so*",
        (
            "NPUs with a Mesa driver (VeriSilicon, Rockchip) need the package mesa-teflon-delegate"
            " and Linux on such a board"
        ),
    ),
    "armnn": (
        "libarmnnDelegate.so*",
        "Arm NN, for Arm CPUs and GPUs, is available as a library for Linux on Arm",
    ),
}
_NOT_LIBRARIES = {
    "gpu": (
        "Not included in the Python package's interpreter: build TensorFlow's GPU delegate (OpenCL,"
        " OpenGL) from source, export tflite_plugin_create_delegate from it, and name the library"
        " in the option delegate"
    ),
    "nnapi": "Only in LiteRT's Android libraries, not in the Python package",
    "coreml": "Only in LiteRT's frameworks for iOS and macOS, not in the Python package",
    "hexagon": "Only on Android, in the library tensorflow-lite-hexagon; its successor is qnn",
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
    """Load a delegate from a library that the user provides.

    Raises:
        InvalidOption: the library does not exist, is no delegate, or finds no device.
    """
    from ai_edge_litert.interpreter import load_delegate

    try:
        opened = ctypes.PyDLL(library)
        if absent := [name for name in _EXPORTS if not hasattr(opened, name)]:
            raise ValueError(f"it lacks the function {absent[0]}")
        return load_delegate(library)
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidOption(
            "The delegate named in the option 'delegate' cannot be loaded:"
            f" {' '.join(str(error).split())[:300]}",
            allowed=f"a shared library for this machine with {' and '.join(_EXPORTS)}",
            given=library,
            remedy="Check the path and that the device is connected",
        ) from error


def providers() -> tuple[Provider, ...]:
    """Return XNNPACK, which is part of the package, and the delegates that the user can provide.

    A delegate in a library counts as available if the library is in a usual folder or in
    LD_LIBRARY_PATH; a missing device is only noticed when it is loaded.
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
    libraries = [
        str(path) for folder in folders if folder for path in sorted(Path(folder).glob(pattern))
    ]
    if libraries:
        return Provider(name, True, f"Name {libraries[0]} in the option delegate. {why}")
    return Provider(name, False, f"{why}. Then name it in the option delegate")
