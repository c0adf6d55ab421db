"""ONNX Runtime on the CPU: the runtime of servers, desktops and many phones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lab.errors import InvalidFile
from lab.options import Option
from lab.plugs import Array, Runtime, TensorInfo

_DTYPES = {"float": "float32", "double": "float64"}
_LOG_ERRORS = 3


def _onnxruntime() -> Any:
    """The package, without the telemetry that it sends since 1.29 unless told not to before its import."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def _preload() -> None:
    _onnxruntime()


class OrtSession:
    """One model in ONNX Runtime, fed through its only input and read from its first output."""

    def __init__(self, path: str, threads: int) -> None:
        self._session = _open(path, threads)
        self._feed, self._fetch = _the_only_input(self._session), self._session.get_outputs()[0]
        self.input, self.output = _info(self._feed), _info(self._fetch)
        self._name, self._outputs, self._run = self._feed.name, [self._fetch.name], self._session.run

    def prepare(self, x: Array) -> Array:
        """The batch in the type that the model takes."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Shape (batch, *input) -> (batch, *output)."""
        output: Array = self._run(self._outputs, {self._name: x})[0]
        return output


def _open(path: str, threads: int) -> Any:
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _LOG_ERRORS
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidFile(f"ONNX Runtime refuses this file: {str(error).strip()[:500]}", given=path) from error


def _the_only_input(session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise InvalidFile("The model must have one input", allowed="1", given=[i.name for i in inputs])
    return inputs[0]


def _info(argument: Any) -> TensorInfo:
    name = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in argument.shape)
    return TensorInfo(shape, _DTYPES.get(name, name))


def _load(path: str, options: Mapping[str, Any]) -> OrtSession:
    return OrtSession(str(path), int(options.get("threads", 1)))


RUNTIME = Runtime(
    id="ort",
    title="ONNX Runtime (CPU)",
    help="Runs ONNX files with Microsoft's CPU kernels; takes any batch where the file leaves the batch axis free.",
    formats=("onnx",),
    preload=_preload,
    load=_load,
    options=(
        Option(
            id="threads", label="Threads", kind="int", default=1, low=1, high=64, affects_output=False,
            help="How many CPU threads compute one operator; 1 is the steadiest to measure.", sweep={"full": (1, 2)},
        ),
    ),
    requires=("onnxruntime",),
    version_of="onnxruntime",
)  # fmt: skip
