"""LiteRT (formerly TensorFlow Lite) on the CPU: the runtime of phones and small boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array, Runtime, TensorInfo


def _preload() -> None:
    from ai_edge_litert import interpreter

    assert interpreter


class LiteRTSession:
    """One model in a LiteRT interpreter: takes and gives real numbers, whatever integers the file computes in."""

    def __init__(self, path: str, threads: int, xnnpack: bool) -> None:
        self._interpreter = _open(path, threads, xnnpack)
        feed, fetch = _the_only_input(self._interpreter), self._interpreter.get_output_details()[0]
        self.input, self.output = _info(feed), _info(fetch)
        self._quantize, self._dequantize = _quantizer(feed), _dequantizer(fetch)
        self._feed, self._fetch = feed["index"], fetch["index"]

    def prepare(self, x: Array) -> Array:
        """The batch in the type that the model takes, quantized by its input's scale and zero point."""
        return np.ascontiguousarray(self._quantize(x))

    def run(self, x: Array) -> Array:
        """Shape (batch, *input) -> (batch, *output), with the batch that the file was converted with."""
        self._interpreter.set_tensor(self._feed, x)
        self._interpreter.invoke()
        return self._dequantize(self._interpreter.get_tensor(self._fetch))


def _open(path: str, threads: int, xnnpack: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(model_path=path, num_threads=threads, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InvalidFile(f"LiteRT refuses this file: {str(error).strip()[:500]}", given=path) from error
    return interpreter


def _the_only_input(interpreter: Any) -> Any:
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        raise InvalidFile("The model must have one input", allowed="1", given=[i["name"] for i in inputs])
    return inputs[0]


def _info(details: Mapping[str, Any]) -> TensorInfo:
    return TensorInfo(tuple(int(size) for size in details["shape"]), np.dtype(details["dtype"]).name)


def _scale(details: Mapping[str, Any]) -> tuple[np.float32, int] | None:
    """Scale and zero point of a tensor that stores real numbers as integers; None for floats and token ids."""
    scales = details["quantization_parameters"]["scales"]
    whole = np.issubdtype(details["dtype"], np.integer)
    return (
        (np.float32(scales[0]), int(details["quantization_parameters"]["zero_points"][0]))
        if len(scales) and whole
        else None
    )


def _quantizer(details: Mapping[str, Any]) -> Callable[[Array], Array]:
    dtype, scale = details["dtype"], _scale(details)
    if scale is None:
        return lambda x: x.astype(dtype, copy=False)
    (step, zero), limits = scale, np.iinfo(dtype)
    return lambda x: np.clip(np.rint(x / step) + zero, limits.min, limits.max).astype(dtype)


def _dequantizer(details: Mapping[str, Any]) -> Callable[[Array], Array]:
    scale = _scale(details)
    if scale is None:
        return lambda y: y
    step, zero = scale
    return lambda y: (y.astype(np.float32) - zero) * step


def _load(path: str, options: Mapping[str, Any]) -> LiteRTSession:
    return LiteRTSession(str(path), int(options.get("threads", 1)), bool(options.get("xnnpack", True)))


RUNTIME = Runtime(
    id="litert",
    title="LiteRT (CPU)",
    help="Runs TFLite files with Google's mobile kernels, one item a call.",
    formats=("tflite",),
    preload=_preload,
    load=_load,
    options=(
        Option(
            id="threads", label="Threads", kind="int", default=1, low=1, high=64, affects_output=False,
            help="How many CPU threads compute one operator; 1 is the steadiest to measure.", sweep={"full": (1, 2)},
        ),
        Option(
            id="xnnpack", label="XNNPACK delegate", kind="bool", default=True,
            help="Off computes with LiteRT's own kernels instead of the XNNPACK library that is its default on CPUs.",
            sweep={"standard": (True, False), "full": (True, False)},
        ),
    ),
    requires=("ai-edge-litert",),
    version_of="ai-edge-litert",
)  # fmt: skip
