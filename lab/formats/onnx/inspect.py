"""Looks into ONNX files: shapes, weights, multiplications, and what stayed float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from lab.formats.onnx.contrib import FACTORS, attributes, in_standard, packed_weights, scaling
from lab.formats.onnx.files import load_onnx

Shapes = dict[str, tuple[int, ...]]
_CONVOLUTIONS = {"Conv", "FusedConv", "ConvInteger", "QLinearConv"}
_PRODUCTS = {
    "MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat", "MatMulNBits", "Gemm", "FusedGemm", "QGemm",
}  # fmt: skip
_RECURRENT = {"GRU", "LSTM", "RNN"}
_COMPUTE = {
    "Conv",
    "FusedConv",
    "ConvTranspose",
    "MatMul",
    "FusedMatMul",
    "MatMulNBits",
    "Gemm",
    "FusedGemm",
}
_INTEGER_WEIGHTS = {
    "ConvInteger", "QLinearConv", "MatMulInteger", "QLinearMatMul", "QGemm",
    "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulNBits", "GatherBlockQuantized",
}  # fmt: skip
MULTIPLYING = {*_CONVOLUTIONS, "ConvTranspose", *_PRODUCTS, *_RECURRENT}
INTEGER_PRODUCTS = _INTEGER_WEIGHTS - {"MatMulNBits", "GatherBlockQuantized"}
"""Types that multiply integers, whatever they are given."""
_COMPUTES_IN_INTEGERS = 4
"""MatMulNBits' accuracy_level that rounds activations to 8-bit integers; below, products are
computed in float.
"""


def inspect(path: Path) -> dict[str, Any]:
    """See `lab.formats.inspect.inspect`."""
    model = load_onnx(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    return {
        "inputs": [_info(value) for value in model.graph.input if value.name not in stored],
        "outputs": [_info(value) for value in model.graph.output],
        "parameters": _parameters(model),
        "macs": _macs(model),
        "operators": dict(Counter(node.op_type for node in model.graph.node)),
        "float_operators": _float_operators(model),
    }


def _info(value: Any) -> dict[str, Any]:
    import onnx

    kind = value.type.tensor_type
    shape = [axis.dim_value if axis.dim_value > 0 else None for axis in kind.shape.dim]
    return {
        "name": value.name,
        "shape": shape,
        "dtype": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
    }


def _parameters(model: Any) -> int:
    return sum(weights_of(model).values())


def weights_of(model: Any) -> dict[str, int]:
    """Number of elements of each stored tensor, without scales, zero points, and the integers that
    describe shapes and indices.
    """
    import onnx

    scales = {tensor for node in model.graph.node for tensor in scaling(node)}
    packed = {
        node.input[1]: count
        for node in model.graph.node
        if (count := packed_weights(node)) is not None
    }
    return {
        tensor.name: packed.get(tensor.name, prod(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.data_type != onnx.TensorProto.INT64 and tensor.name not in scales
    }


def _float_operators(model: Any) -> dict[str, int]:
    """Multiplying operators whose two factors are not both read from integers, in a file that has
    integer weights.
    """
    nodes = list(model.graph.node)
    dequantized = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    if not dequantized and not any(node.op_type in _INTEGER_WEIGHTS for node in nodes):
        return {}
    left = [
        n.op_type for n in nodes if n.op_type in _COMPUTE and not _reads_integers(n, dequantized)
    ]
    return dict(Counter(left))


def _reads_integers(node: Any, dequantized: set[str]) -> bool:
    if node.op_type == "MatMulNBits":
        return computes_in_integers(node)
    return set(node.input[:2]) <= dequantized


def computes_in_integers(node: Any) -> bool:
    """Return whether a MatMulNBits rounds its activations to integers."""
    return bool(attributes(node).get("accuracy_level") == _COMPUTES_IN_INTEGERS)


def wide_quantizers(model: Any) -> list[str]:
    """Names of the nodes that turn activations into 16-bit integers."""
    import onnx

    wide = {onnx.TensorProto.INT16, onnx.TensorProto.UINT16}
    stored = {tensor.name for tensor in model.graph.initializer if tensor.data_type in wide}
    return [
        n.name
        for n in model.graph.node
        if n.op_type == "QuantizeLinear" and set(n.input[2:]) & stored
    ]


def _macs(model: Any) -> int | None:
    shapes = shapes_of(model)
    try:
        return sum(node_macs(node, shapes) for node in model.graph.node)
    except KeyError:
        return None


def node_macs(node: Any, shapes: Shapes) -> int:
    """Multiply-accumulate operations of one node; KeyError where a shape is unknown."""
    kind = node.op_type
    first, second = FACTORS.get(kind, (0, 1))
    if kind in _CONVOLUTIONS:
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[second]][1:])
    if kind == "ConvTranspose":
        return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])
    if kind in _PRODUCTS:
        return (
            prod(shapes[node.output[0]])
            * shapes[node.input[first]][-2 if attributes(node).get("transA") else -1]
        )
    if kind in _RECURRENT:
        steps = shapes[node.input[0]][0] * shapes[node.input[0]][1]
        return steps * (prod(shapes[node.input[1]]) + prod(shapes[node.input[2]]))
    return 0


def shapes_of(model: Any) -> Shapes:
    """Shapes of all tensors whose every axis is known when the first axis of the inputs is 1."""
    import onnx

    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    model = in_standard(model)
    for value in model.graph.input:
        for axis in value.type.tensor_type.shape.dim[:1]:
            if not axis.dim_value:
                axis.dim_value = 1
    del model.graph.value_info[:]  # tools leave shapes that contradict the new batch
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return stored | dict(_known([*inferred.value_info, *inferred.input, *inferred.output]))


def _known(values: list[Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for value in values:
        axes = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(
            axis.HasField("dim_value") for axis in axes
        ):
            yield value.name, tuple(axis.dim_value for axis in axes)
