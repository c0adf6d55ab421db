"""Tensors that get 16 bits in a statically quantized ONNX file, from the layers with 16-bit
activations.

The activations of a layer are its inputs and outputs. Its neighbours share them, so a neighbour
that stays in 8 bits has one side in 16; an operator that only moves elements (a transposition)
passes on the type of its input.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

_MOVING = frozenset(
    {
        "Reshape",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Resize",
        "MaxPool",
        "AveragePool",
        "Slice",
        "TopK",
        "Pad",
        "Split",
        "Gather",
        "GatherElements",
    }
)
"""Operators whose output onnxruntime.quantization stores with the scale of their input."""


def wide_tensors(model: Any, wide: Collection[str], quantized: Collection[str]) -> list[str]:
    """Return the activations of these nodes whose stored type determines theirs, in the graph's
    order.

    Args:
        model: ModelProto with inferred shapes.
        wide: names of the nodes with 16-bit activations.
        quantized: names of the nodes that are quantized.
    """
    maker = {tensor: node for node in model.graph.node for tensor in node.output}
    floats = _float_activations(model)
    touched = [
        tensor
        for node in model.graph.node
        if node.name in wide
        for tensor in [*node.input, *node.output]
    ]
    sources = [_source(tensor, maker, quantized) for tensor in touched]
    return [tensor for tensor in dict.fromkeys(sources) if tensor in floats]


def _source(tensor: str, maker: dict[str, Any], quantized: Collection[str]) -> str:
    """Return the tensor whose scale this one has."""
    while tensor in maker and maker[tensor].op_type in _MOVING and maker[tensor].name in quantized:
        tensor = maker[tensor].input[0]
    return tensor


def _float_activations(model: Any) -> set[str]:
    import onnx

    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    stored = {tensor.name for tensor in model.graph.initializer}
    return {
        v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    } - stored
