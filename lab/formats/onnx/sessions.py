"""Sessions of ONNX Runtime: how far a graph is optimized, which execution provider computes it, and
why others cannot.
"""

from __future__ import annotations

import os
from typing import Any

from lab.errors import InvalidFile, InvalidOption
from lab.formats.refusals import ORT, refusal
from lab.plugs import Provider

LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
CPU = "CPU"
PROVIDERS = {
    CPU: ("CPUExecutionProvider", "pip install onnxruntime"),
    "OpenVINO": (
        "OpenVINOExecutionProvider",
        "pip install onnxruntime-openvino in place of onnxruntime: Intel CPUs, GPUs and NPUs",
    ),
    "CUDA": (
        "CUDAExecutionProvider",
        "pip install onnxruntime-gpu in place of onnxruntime: NVIDIA GPUs with CUDA and cuDNN",
    ),
    "TensorRT": (
        "TensorrtExecutionProvider",
        "pip install onnxruntime-gpu in place of onnxruntime, and TensorRT: NVIDIA GPUs",
    ),
    "CoreML": (
        "CoreMLExecutionProvider",
        "only in onnxruntime for macOS and iOS: Apple's CPU, GPU and neural engine",
    ),
    "QNN": (
        "QNNExecutionProvider",
        "pip install onnxruntime-qnn in place of onnxruntime: Qualcomm's NPUs",
    ),
    "XNNPACK": (
        "XnnpackExecutionProvider",
        "only in onnxruntime for Android and iOS, or built with --use_xnnpack",
    ),
    "DirectML": (
        "DmlExecutionProvider",
        "pip install onnxruntime-directml in place of onnxruntime: GPUs under Windows",
    ),
}
"""Option's value -> ONNX Runtime's name, and what brings it."""

_LOG_ERRORS = 3
_RECORDING = "session.record_ep_graph_assignment_info"


def onnxruntime() -> Any:
    """The package, without the telemetry that it sends since 1.29 unless told not to before its
    import.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as package

    return package


def providers() -> tuple[Provider, ...]:
    """The execution providers, each with why it can be used here, or why not."""
    package = onnxruntime()
    built, version = package.get_available_providers(), package.__version__
    return tuple(
        (
            Provider(name, True, f"in the installed onnxruntime {version}")
            if own in built
            else Provider(name, False, f"not in the installed onnxruntime {version}: {brings}")
        )
        for name, (own, brings) in PROVIDERS.items()
    )


def open_session(
    path: str,
    threads: int = 1,
    level: str = "all",
    provider: str = CPU,
    write_to: str = "",
    profile_to: str = "",
) -> Any:
    """An InferenceSession.

    Args:
        path: an ONNX file.
        threads: how many compute one operator.
        level: one of LEVELS.
        provider: one of PROVIDERS; the CPU computes what it does not know.
        write_to: a file for the optimized graph, or "".
        profile_to: where the profiler's record begins to be named, or "" for none.

    Raises:
        InvalidOption: the installed build lacks the provider.
        InvalidFile: ONNX Runtime refuses the file, or the provider computes nothing of it.
    """
    package, own = onnxruntime(), _own_name(provider)
    options = package.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level, options.optimized_model_filepath = _LOG_ERRORS, write_to
    options.graph_optimization_level = getattr(package.GraphOptimizationLevel, LEVELS[level])
    if profile_to:
        options.enable_profiling, options.profile_file_prefix = True, profile_to
    if provider != CPU:
        options.add_session_config_entry(_RECORDING, "1")
    chosen = list(dict.fromkeys([own, PROVIDERS[CPU][0]]))
    try:
        session = package.InferenceSession(path, options, providers=chosen)
    except Exception as error:
        raise refusal("ONNX Runtime", str(error), path, ORT) from error
    return session if provider == CPU else _checked(session, provider, own)


def _own_name(provider: str) -> str:
    found = {one.name: one for one in providers()} if provider != CPU else {}
    if provider in found and not found[provider].available:
        raise InvalidOption(
            f"ONNX Runtime cannot use the execution provider {provider} here",
            allowed=", ".join(one.name for one in found.values() if one.available),
            given=provider,
            remedy=found[provider].why[0].upper() + found[provider].why[1:],
        )
    return PROVIDERS[provider][0]


def _checked(session: Any, provider: str, own: str) -> Any:
    """The session, if the provider computes a part of it: ONNX Runtime falls back on the CPU
    without an error.

    Raises:
        InvalidFile: it does not.
    """
    used = any(
        part.ep_name == own and part.get_nodes()
        for part in session.get_provider_graph_assignment_info()
    )
    if own not in session.get_providers() or not used:
        raise InvalidFile(
            f"The execution provider {provider} computes nothing of this file: ONNX Runtime fell"
            " back on the CPU",
            given=provider,
            remedy=(
                "Look whether its libraries and its device are there, or choose the provider CPU"
            ),
        )
    return session
