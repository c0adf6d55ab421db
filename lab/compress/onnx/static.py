"""ONNX Runtime's static quantization: preparation of the graph, choice of its nodes, and QDQ
quantization.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab.compress.onnx.choosing import Choice, choose, is_chosen, nothing_quantized
from lab.compress.onnx.ranges import METHODS, PERCENTILE, operators, write_ranges
from lab.compress.onnx.rewriting import name_nodes, own_weights, read_unrounded
from lab.compress.onnx.wide import wide_tensors
from lab.errors import LabError
from lab.formats.feeding import check_finite
from lab.formats.onnx.files import QUANTIZED, load_onnx, quantization, working_copy
from lab.formats.onnx.origins import origins
from lab.formats.quiet import quiet
from lab.formats.refusals import ORT, refusal
from lab.plugs import Context

_KEPT = 8
_MOST_WORDS = 4


@dataclass(frozen=True)
class Types:
    """Names of onnxruntime.quantization.QuantType for activations, weights, and the activations of
    wide layers.
    """

    activation: str
    weight: str
    wide: str = "QUInt16"


def static(source: Path, params: Mapping[str, Any], context: Context, types: Types) -> Path:
    """Write the statically quantized variant of a float ONNX file.

    Args:
        params: per_channel, method and the options of `lab.compress.calibrating.CALIBRATION`;
            optional are reduce_range, symmetric_activations, quantize_bias, percentile, preprocess,
            OPERATORS and the options of `lab.compress.choosing`.

    Raises:
        InvalidFile: the file is no float ONNX file, or ONNX Runtime cannot quantize it.
        InvalidOption: a named layer or operator type does not exist.
    """
    model = working_copy(source, context.workdir)
    model = preprocess(model) if params.get("preprocess", True) else model
    x = check_finite(context.calibration(params["calibration_samples"]))
    ranges = write_ranges(
        model,
        params["method"],
        x,
        context.workdir / "ranges.json",
        params.get("percentile", PERCENTILE),
    )
    model, choice = _prepare(source, model, params)
    target = quantize(model, params, types, ranges, choice, context.workdir / "model.onnx")
    _check_quantized(target, params)
    if words := in_words(target, choice):
        context.note("layers", words)
    return target


def preprocess(model: Path) -> Path:
    """Write the model with shapes inferred, constants folded and operators fused, next to the given
    file.

    Source: onnxruntime.quantization.shape_inference.quant_pre_process.
    """
    target = model.with_name("preprocessed.onnx")
    target.write_bytes(_preprocessed(model.read_bytes()))
    return target


@lru_cache(maxsize=_KEPT)
def _preprocessed(content: bytes) -> bytes:
    """Return the result of `quant_pre_process` for a file's content, cached in a warm process for
    all variants of a model.
    """
    import tempfile

    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, quiet():
        before, after = Path(folder) / "source.onnx", Path(folder) / "preprocessed.onnx"
        before.write_bytes(content)
        quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
        return after.read_bytes()


def _prepare(source: Path, model: Path, params: Mapping[str, Any]) -> tuple[Path, Choice]:
    """Return the file to quantize and the choice of its nodes."""
    import onnx

    if not is_chosen(params):
        return model, Choice()
    graph = load_onnx(model)
    name_nodes(graph)
    node_origins = origins(load_onnx(source).graph, graph.graph)
    choice = choose(source, node_origins, params, operators())
    own_weights(graph, choice.left)
    onnx.save(graph, str(model))
    return model, choice


def quantize(
    model: Path, params: Mapping[str, Any], types: Types, ranges: Path, choice: Choice, target: Path
) -> Path:
    """Write the static variant (QDQ) of a model.

    Args:
        params: see `static`.
        ranges: calibration cache of the same method, see `lab.compress.onnx.ranges.write_ranges`.
        choice: chosen nodes; nodes must have unique names where it chooses any.

    Raises:
        InvalidFile: ONNX Runtime cannot quantize the model with these options.
    """
    package = quantization()
    kind = package.QuantType
    try:
        with quiet():
            package.quantize_static(
                model,
                target,
                None,
                quant_format=package.QuantFormat.QDQ,
                activation_type=kind[types.activation],
                weight_type=kind[types.weight],
                per_channel=params["per_channel"],
                reduce_range=params.get("reduce_range", False),
                calibrate_method=package.CalibrationMethod[METHODS[params["method"]]],
                calibration_cache_path=ranges,
                nodes_to_quantize=choice.quantize and list(choice.quantize),
                extra_options=_extra(model, params, types, choice, kind),
            )
    except LabError:
        raise
    except Exception as error:
        raise refusal(
            "ONNX Runtime's quantizer", str(error) or repr(error), str(model.name), ORT
        ) from error
    return _unround(target, choice)


def _extra(
    model: Path, params: Mapping[str, Any], types: Types, choice: Choice, kind: Any
) -> dict[str, Any]:
    graph = load_onnx(model)
    wide = wide_tensors(graph, choice.wide, choice.quantize or ())
    overrides = {tensor: [{"quant_type": kind[types.wide]}] for tensor in wide}
    overrides |= {
        table: [{"quant_type": kind[types.weight]}]
        for table in _tables(graph)
        if "16" in types.activation
    }
    return {
        "ActivationSymmetric": params.get("symmetric_activations", False),
        "QuantizeBias": params.get("quantize_bias", True),
        "TensorQuantOverrides": overrides,
    }


def _tables(model: Any) -> list[str]:
    """Return the stored tensors that are lookup tables: the quantizer treats them as activations
    and would give them the same bits.
    """
    import onnx

    floats = {t.name for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    return sorted({node.input[0] for node in model.graph.node if node.op_type == "Gather"} & floats)


def _unround(target: Path, choice: Choice) -> Path:
    import onnx

    if choice.left:
        model = load_onnx(target)
        read_unrounded(model, choice.left, choice.quantize or ())
        onnx.save(model, str(target))
    return target


def _check_quantized(target: Path, params: Mapping[str, Any]) -> None:
    types = {node.op_type for node in load_onnx(target).graph.node}
    if not types & QUANTIZED:
        raise nothing_quantized(params, sorted(types & {*operators()}))


def in_words(target: Path, choice: Choice) -> str:
    """Return a note for users who named layers on differences between the file and their choice; ""
    if there are none.
    """
    graph = load_onnx(target).graph
    dequantized = {
        tensor
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        for tensor in node.output
    }
    rounded = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    kept = [node for node in graph.node if node.name in choice.kept]
    integer = [
        choice.kept[n.name]
        for n in kept
        if set(n.input) <= dequantized and set(n.output) <= rounded
    ]
    words = [f"{name} is computed inside {other}" for name, other in choice.inside.items()]
    words += [
        f"{name} has integer inputs and outputs nevertheless, because its neighbours do"
        for name in integer
    ]
    return "; ".join(
        [
            *words[:_MOST_WORDS],
            *([f"and {len(words) - _MOST_WORDS} more"] if len(words) > _MOST_WORDS else []),
        ]
    )
