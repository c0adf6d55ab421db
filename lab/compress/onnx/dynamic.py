"""ONNX Runtime's dynamic quantization, of all layers or of some."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lab.compress.onnx.choosing import Choice, choose, is_chosen, nothing_quantized
from lab.compress.onnx.rewriting import gemm_to_matmul, name_nodes, own_weights
from lab.formats.onnx.files import QUANTIZED, load_onnx, quantization, working_copy
from lab.formats.onnx.origins import untouched
from lab.formats.quiet import quiet
from lab.formats.refusals import ORT, refusal
from lab.plugs import Context

_INTEGER = QUANTIZED | {"ConvInteger", "MatMulInteger"}
# only moves elements; where layers are chosen it would pass integers to float layers
_FOLLOWING = "Transpose"


def dynamic(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    """Write the dynamically quantized variant of a float ONNX file.

    Args:
        params: weight_type, per_channel, reduce_range, and the options of
            `lab.compress.onnx.choosing.choose`.

    Raises:
        InvalidFile: the file is no float ONNX file, or ONNX Runtime cannot quantize it.
        InvalidOption: a named layer or operator type does not exist, or nothing is quantized.
    """
    import onnx

    copy, target = working_copy(source, context.workdir), context.workdir / "model.onnx"
    model = load_onnx(copy)
    choice = _choice(source, model, params)
    gemm_to_matmul(model)
    own_weights(model, set(_split_names(choice.left)))
    onnx.save(model, str(copy))
    _quantize(copy, target, params, choice)
    if not {node.op_type for node in load_onnx(target).graph.node} & _INTEGER:
        raise nothing_quantized(
            params, sorted({node.op_type for node in model.graph.node} & _types())
        )
    return target


def _types() -> set[str]:
    """Return the operator types that `quantize_dynamic` quantizes, and Gemm, which it splits
    first.
    """
    from onnxruntime.quantization.registry import IntegerOpsRegistry

    return {*IntegerOpsRegistry, "Gemm"} - {_FOLLOWING}


def _choice(source: Path, model: Any, params: Mapping[str, Any]) -> Choice:
    if not is_chosen(params):
        return Choice()
    name_nodes(model)
    return choose(source, untouched(model.graph), params, _types())


def _quantize(model: Path, target: Path, params: Mapping[str, Any], choice: Choice) -> None:
    package = quantization()
    kind = package.QuantType.QInt8 if params["weight_type"] == "int8" else package.QuantType.QUInt8
    try:
        with quiet():
            package.quantize_dynamic(
                model,
                target,
                weight_type=kind,
                per_channel=params["per_channel"],
                reduce_range=params["reduce_range"],
                nodes_to_quantize=choice.quantize and _split_names(choice.quantize),
            )
    except Exception as error:
        raise refusal(
            "ONNX Runtime's quantizer", str(error) or repr(error), model.name, ORT
        ) from error


def _split_names(nodes: Collection[str]) -> list[str]:
    """Return the nodes with their names after Gemm is split, too; names that do not exist do no
    harm.
    """
    return [name for node in nodes for name in (node, f"{node}_MatMul")]
