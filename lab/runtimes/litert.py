"""LiteRT (formerly TensorFlow Lite) on the CPU: the runtime of phones and small boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile, InvalidOption
from lab.evidence import Profile
from lab.formats.batching import BATCH, batch_size
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
    """One model in a LiteRT interpreter: takes and gives real numbers, whatever integers the file
    computes in.
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
        """The batch in the type that the model takes, quantized by its input's scale and zero
        point.
        """
        return np.ascontiguousarray(self._quantize(x))

    def run(self, x: Array) -> Array:
        """Shape (batch, *input) -> (batch, *output), with the batch that the graph was laid out
        for.
        """
        self._interpreter.set_tensor(self._feed, x)
        self._interpreter.invoke()
        return self._dequantize(self._interpreter.get_tensor(self._fetch))

    def arena_bytes(self) -> int | None:
        """What LiteRT set aside for the tensors of this model, see `lab.runtimes._litert_arena`."""
        return arena_bytes(self._interpreter, self._path)


class HalfSession(LiteRTSession):
    """The same in 16-bit floats, by LiteRT's newer interface: the interpreter cannot be told to."""

    def __init__(self, path: str, threads: int) -> None:
        from lab.runtimes._litert_half import HalfModel

        details = _created(path, 1, True, [])
        feed, fetch = _the_only_input(details), details.get_output_details()[0]
        self.input, self.output = _info(feed), _info(fetch)
        self._quantize, self._dequantize = _quantizer(feed), _dequantizer(fetch)
        self._model = HalfModel(path, threads, feed, fetch)

    def run(self, x: Array) -> Array:
        """Shape (batch, *input) -> (batch, *output), with the batch that the file was converted
        with.
        """
        return self._dequantize(self._model.run(x))

    def arena_bytes(self) -> int | None:
        """None: the newer interface does not say where its tensors lie."""
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
    """Without XNNPACK, LiteRT 2.3 forgets the activation that is fused into a layer with block-wise
    weights, and reads 2-bit blocks wrongly.

    Reading a file's tensors takes milliseconds, which loading must not cost where there can be no
    blocks: their scales lie in
    tensors that are named so.
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
            "Without XNNPACK, LiteRT computes this layer's block-wise weights wrongly",
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
            "The model must have one input", allowed="1", given=[i["name"] for i in inputs]
        )
    return inputs[0]


def _info(details: Mapping[str, Any]) -> TensorInfo:
    return TensorInfo(
        tuple(int(size) for size in details["shape"]), np.dtype(details["dtype"]).name
    )


def _scale(details: Mapping[str, Any]) -> tuple[np.float32, int] | None:
    """Scale and zero point of a tensor that stores real numbers as integers; None for floats and
    token ids.
    """
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
            "The precision float16 is XNNPACK's",
            given={"xnnpack": xnnpack, "delegate": delegate},
            remedy="Turn xnnpack on and name no delegate, or choose the precision float32",
        )
    if batch_size(options) > 1:
        raise InvalidOption(
            "LiteRT computes in 16-bit floats one item at a time",
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
        "Runs TFLite files with Google's mobile kernels, one item a call unless a batch is asked"
        " for."
    ),
    formats=("tflite",),
    preload=_preload,
    load=_load,
    options=(
        Option(
            id="threads",
            label="Threads",
            kind="int",
            default=1,
            low=1,
            high=64,
            affects_output=False,
            help="How many CPU threads compute one operator; 1 is the steadiest to measure.",
            sweep={"full": (1, 2)},
        ),
        BATCH,
        Option(
            id="xnnpack",
            label="XNNPACK delegate",
            kind="bool",
            default=True,
            help=(
                "Off computes with LiteRT's own kernels instead of the XNNPACK library that is its"
                " default on CPUs."
            ),
            sweep={"standard": (True, False), "full": (True, False)},
        ),
        Option(
            id="delegate",
            label="Delegate",
            kind="path",
            default="",
            help=(
                "The library of a delegate, such as libedgetpu.so.1, that takes over the operators"
                " it can compute; the others stay with XNNPACK or LiteRT's own kernels. It is code"
                " that runs in the lab: name only what you trust."
            ),
        ),
        Option(
            id="precision",
            label="Float arithmetic",
            kind="choice",
            default="float32",
            choices=("float32", "float16"),
            help=(
                "In which floats XNNPACK computes what the file keeps in float; 16 bits need a CPU"
                " that has them."
            ),
        ),
    ),
    requires=("ai-edge-litert",),
    version_of="ai-edge-litert",
    zeros=(  # seen in profiles of a network of 1×1 convolutions with 90 % zeros
        "LiteRT's XNNPACK multiplies by them: even from a sparse file it unpacks them first, and"
        " profiles show dense kernels."
    ),
    providers=providers,
    profile=_profile,
)
