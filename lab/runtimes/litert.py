"""LiteRT (formerly TensorFlow Lite) on the CPU: the runtime of phones and small boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile, InvalidOption
from lab.evidence import Profile
from lab.formats.batching import BATCH, batch_size
from lab.formats.threads import THREADS
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array, Runtime, TensorInfo
from lab.runtimes._litert_arena import arena_bytes
from lab.runtimes._litert_batch import lay_out
from lab.runtimes._litert_delegates import load, providers


def _preload() -> None:
    from ai_edge_litert import interpreter

    assert interpreter


class LiteRTSession:
    """Session of one model in a LiteRT interpreter, with float inputs and outputs even if the file
    uses integers.
    """

    def __init__(
        self, path: str, threads: int, xnnpack: bool, delegate: str = "", batch: int = 1
    ) -> None:
        self._path, self._interpreter = path, _open(path, threads, xnnpack, delegate, batch)
        feed, fetch = _the_only_input(self._interpreter), self._interpreter.get_output_details()[0]
        self.input, self.output = _info(feed), _info(fetch)
        self._quantize, self._dequantize = _quantizer(feed), _dequantizer(fetch)
        self._feed, self._fetch = feed["index"], fetch["index"]

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type, quantized with its input's scale and zero
        point.
        """
        return np.ascontiguousarray(self._quantize(x))

    def run(self, x: Array) -> Array:
        """Run a batch that fits the graph; shape (batch, *input) -> (batch, *output)."""
        self._interpreter.set_tensor(self._feed, x)
        self._interpreter.invoke()
        return self._dequantize(self._interpreter.get_tensor(self._fetch))

    def arena_bytes(self) -> int | None:
        """Return the size of this model's tensor arena, see `lab.runtimes._litert_arena`."""
        return arena_bytes(self._interpreter, self._path)


class HalfSession(LiteRTSession):
    """Session in 16-bit floats on LiteRT's newer API, because the interpreter does not support
    them.
    """

    def __init__(self, path: str, threads: int) -> None:
        from lab.runtimes._litert_half import HalfModel

        details = _created(path, 1, True, [])
        feed, fetch = _the_only_input(details), details.get_output_details()[0]
        self.input, self.output = _info(feed), _info(fetch)
        self._quantize, self._dequantize = _quantizer(feed), _dequantizer(fetch)
        self._model = HalfModel(path, threads, feed, fetch)

    def run(self, x: Array) -> Array:
        """Run a batch that fits the file; shape (batch, *input) -> (batch, *output)."""
        return self._dequantize(self._model.run(x))

    def arena_bytes(self) -> int | None:
        """Return None, because the newer API does not expose tensor addresses."""
        return None


def _open(path: str, threads: int, xnnpack: bool, delegate: str, batch: int) -> Any:
    interpreter = _created(path, threads, xnnpack, [load(delegate)] if delegate else [])
    if not xnnpack:
        _check_blocks(path)
    if batch > 1:
        lay_out(interpreter, _the_only_input(interpreter), batch, path)
        return interpreter
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise _refusal(path, error) from error
    return interpreter


def _created(path: str, threads: int, xnnpack: bool, delegates: list[Any]) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = (
        OpResolverType.BUILTIN if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    try:
        return Interpreter(
            model_path=path,
            num_threads=threads,
            experimental_op_resolver_type=kernels,
            experimental_delegates=delegates,
        )
    except (ValueError, RuntimeError) as error:
        raise _refusal(path, error) from error


def _refusal(path: str, error: Exception) -> InvalidFile:
    return InvalidFile(f"LiteRT refuses this file: {str(error).strip()[:500]}", given=path)


def _check_blocks(path: str) -> None:
    """Reject files that LiteRT 2.3 computes wrongly without XNNPACK: it ignores activations fused
    into layers with block-wise weights, and misreads 2-bit blocks.

    Reading a file's tensors takes milliseconds, so the file is first searched for the name of
    tensors with block scales.
    """
    if b"_scales" not in Path(path).read_bytes():
        return
    from lab.formats.tflite.files import load_tflite

    model = load_tflite(Path(path))
    graph = model.subgraphs[0]
    wrong = [
        graph.tensors[o.outputs[0]].name.decode()
        for o in graph.operators
        if _has_wrong_blocks(model, o)
    ]
    if wrong:
        raise InvalidFile(
            "Without XNNPACK, LiteRT computes wrong results for this layer's block-wise weights",
            allowed="blocks of 4-bit weights without a fused activation",
            given=wrong[0],
            remedy="Turn xnnpack on, or choose block_size 0",
        )


def _has_wrong_blocks(model: Any, operator: Any) -> bool:
    from lab.formats.tflite.files import block_size, operator_name, type_name

    if operator_name(model, operator) != "FULLY_CONNECTED":
        return False
    weight = model.subgraphs[0].tensors[operator.inputs[1]]
    odd = bool(operator.builtinOptions.fusedActivationFunction) or type_name(weight) == "INT2"
    return odd and block_size(weight) > 0


def _the_only_input(interpreter: Any) -> Any:
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        raise InvalidFile(
            "The model must have exactly one input", allowed="1", given=[i["name"] for i in inputs]
        )
    return inputs[0]


def _info(details: Mapping[str, Any]) -> TensorInfo:
    return TensorInfo(
        tuple(int(size) for size in details["shape"]), np.dtype(details["dtype"]).name
    )


def _scale(details: Mapping[str, Any]) -> tuple[np.float32, int] | None:
    """Return the scale and zero point of a quantized tensor; None for floats and token ids."""
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
    threads, xnnpack, delegate = (
        int(options.get("threads", 1)),
        bool(options.get("xnnpack", True)),
        options.get("delegate", ""),
    )
    if options.get("precision", "float32") == "float32":
        return LiteRTSession(str(path), threads, xnnpack, delegate, batch_size(options))
    if delegate or not xnnpack:
        raise InvalidOption(
            "The precision float16 needs XNNPACK",
            given={"xnnpack": xnnpack, "delegate": delegate},
            remedy="Turn xnnpack on without a delegate, or choose the precision float32",
        )
    if batch_size(options) > 1:
        raise InvalidOption(
            "LiteRT supports only batch 1 in 16-bit floats",
            allowed="batch 1",
            given=batch_size(options),
            remedy="Choose batch 1, or the precision float32",
        )
    return HalfSession(str(path), threads)


def _profile(path: str, options: Mapping[str, Any], item: Array, runs: int) -> Profile:
    from lab.runtimes._litert_profile import profile

    return profile(_load(path, options), str(path), options, item, runs)


RUNTIME = Runtime(
    id="litert",
    title="LiteRT (CPU)",
    help=(
        "Runs TFLite files with Google's mobile kernels, one item per call unless the option batch"
        " is larger."
    ),
    formats=("tflite",),
    preload=_preload,
    load=_load,
    options=(
        THREADS,
        BATCH,
        Option(
            id="xnnpack",
            label="XNNPACK delegate",
            kind="bool",
            default=True,
            help=(
                "Computes with the XNNPACK library, LiteRT's default on CPUs. Turn it off to use"
                " LiteRT's own kernels."
            ),
            sweep={"standard": (True, False), "full": (True, False)},
        ),
        Option(
            id="delegate",
            label="Delegate",
            kind="path",
            default="",
            help=(
                "Library of a delegate, such as libedgetpu.so.1, that computes the operators it"
                " supports; the others stay with XNNPACK or LiteRT's own kernels. The library runs"
                " as code in the lab, so name only libraries that you trust."
            ),
        ),
        Option(
            id="precision",
            label="Float arithmetic",
            kind="choice",
            default="float32",
            choices=("float32", "float16"),
            help=(
                "Float format in which XNNPACK computes float operators; float16 needs a CPU with"
                " 16-bit arithmetic."
            ),
        ),
    ),
    requires=("ai-edge-litert",),
    version_of="ai-edge-litert",
    zeros=(  # seen in profiles of a network of 1×1 convolutions with 90 % zeros
        "LiteRT's XNNPACK multiplies by zeros: it unpacks even sparse files, and profiles show"
        " dense kernels."
    ),
    providers=providers,
    profile=_profile,
)
