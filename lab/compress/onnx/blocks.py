"""Block-wise few-bit weights of ONNX matrix products (ONNX Runtime's MatMulNBits and
GatherBlockQuantized).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.onnx.choosing import choose, is_chosen, nothing_quantized
from lab.compress.onnx.rewriting import gemm_to_matmul, name_nodes
from lab.errors import InvalidFile, InvalidOption
from lab.formats.onnx.files import load_float_onnx, quantization
from lab.formats.onnx.origins import untouched
from lab.formats.quiet import quiet
from lab.formats.refusals import ORT, refusal
from lab.plugs import Context

BLOCKED = frozenset({"MatMulNBits", "GatherBlockQuantized"})
BITS, SIZES, EMBEDDING_BITS = (2, 4, 8), (16, 32, 64, 128, 256), 4


def weight_only(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    """Write a float ONNX file with the weights of its matrix products stored in blocks of few bits.

    Args:
        params: bits, block_size, symmetric, accuracy_level, embeddings and
            `lab.compress.choosing.LAYERS`.

    Raises:
        InvalidFile: the file is no float ONNX file, or has no product by a stored matrix.
        InvalidOption: ONNX Runtime has no kernel for these bits or this block size, or a named
            layer does not exist.
    """
    import onnx

    check_kernel(params)
    before, model, target = (
        load_float_onnx(source),
        load_float_onnx(source),
        context.workdir / "model.onnx",
    )
    name_nodes(model)
    left = _left(source, model, params)
    gemm_to_matmul(model)
    quantized = _quantized(model, left, params, source)
    if not {node.op_type for node in quantized.graph.node} & BLOCKED:
        raise (
            nothing_quantized(params, sorted(_types(params)))
            if is_chosen(params)
            else _no_products(before, source)
        )
    onnx.save(quantized, str(target))
    return target


def check_kernel(params: Mapping[str, Any]) -> None:
    """Raise InvalidOption if ONNX Runtime has no kernel for these bits or blocks."""
    for option, allowed in (("bits", BITS), ("block_size", SIZES)):
        if params[option] not in allowed:
            raise InvalidOption(
                f"ONNX Runtime has no kernel for this {option}",
                allowed=", ".join(map(str, allowed)),
                given=params[option],
            )
    if params["embeddings"] and params["bits"] != EMBEDDING_BITS:
        raise InvalidOption(
            "ONNX Runtime stores embeddings in blocks of 4 bits only",
            allowed=str(EMBEDDING_BITS),
            given=params["bits"],
            remedy="Turn the option embeddings off, or choose 4 bits",
        )


def _types(params: Mapping[str, Any]) -> set[str]:
    return {"MatMul", "Gemm", *(["Gather"] if params["embeddings"] else [])}


def _left(source: Path, model: Any, params: Mapping[str, Any]) -> list[str]:
    """Return the nodes that the options keep in float, with their names after Gemm is split."""
    choice = choose(source, untouched(model.graph), params, _types(params))
    chosen = (
        {node.name for node in model.graph.node}
        if choice.quantize is None
        else set(choice.quantize)
    )
    return [
        name
        for n in model.graph.node
        if n.name not in chosen
        for name in (n.name, f"{n.name}_MatMul")
    ]


def _quantized(model: Any, left: list[str], params: Mapping[str, Any], source: Path) -> Any:
    quantization()  # sees to telemetry
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    try:
        with quiet():
            config = DefaultWeightOnlyQuantConfig(
                block_size=params["block_size"],
                is_symmetric=params["symmetric"],
                bits=params["bits"],
                accuracy_level=params["accuracy_level"],
                op_types_to_quantize=tuple(sorted(_types(params) - {"Gemm"})),
            )
            quantizer = MatMulNBitsQuantizer(model, nodes_to_exclude=left, algo_config=config)
            quantizer.process()
    except Exception as error:
        raise refusal(
            "ONNX Runtime's quantizer", str(error) or repr(error), source.name, ORT
        ) from error
    return quantizer.model.model


def _no_products(model: Any, source: Path) -> InvalidFile:
    counts = Counter(node.op_type for node in model.graph.node)
    return InvalidFile(
        "This model has no product by a stored matrix; ONNX Runtime stores no other weights in"
        " blocks of few bits",
        allowed="models with MatMul or Gemm operators",
        given=", ".join(f"{count} × {type_}" for type_, count in counts.most_common())
        or source.name,
        remedy="For convolutions choose onnx_static_int8 or onnx_dynamic_int8",
    )
