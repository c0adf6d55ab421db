"""The stored tensors of an ONNX file: which are weights, what they consist of, and which node
computes with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from lab.formats.onnx.contrib import attributes, scaling
from lab.formats.onnx.inspect import weights_of
from lab.formats.stored_weights import Stored, floats, integers, unpack
from lab.lazy import np
from lab.plugs import Array

ZERO_POINTS = {
    "DequantizeLinear": (0, 2, 1), "QLinearConv": (3, 5, 0), "ConvInteger": (1, 3, 0),
    "QLinearMatMul": (3, 5, -1), "MatMulInteger": (1, 3, -1), "DynamicQuantizeMatMul": (1, 3, -1),
    "MatMulIntegerToFloat": (1, 5, -1), "QGemm": (3, 5, -1),
}  # fmt: skip
"""Type -> the input with weights, the one with their zero points, and the axis of the weights that
these belong to.
"""
_PACKED = {"INT4": 4, "UINT4": 4, "INT2": 2, "UINT2": 2}
_DATA = (
    "raw_data",
    "float_data",
    "int32_data",
    "int64_data",
    "double_data",
    "uint64_data",
    "string_data",
)


@dataclass(frozen=True)
class Reading:
    """Position of a node's weights: node, position of the weights among its inputs, name and axis
    of the zero points.
    """

    node: Any
    zero: str
    axis: int


def stored_weights(model: Any) -> dict[str, Stored]:
    """Return the type, elements and bytes of each weight of a file, by the tensor's name."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    readings = _readings(model)
    return {name: _stored(tensors, name, readings.get(name)) for name in weights_of(model)}


def type_of(tensor: Any) -> str:
    """The name of a stored tensor's type as numpy and torch write it: int8, uint4, float16 …"""
    import onnx

    name = str(onnx.TensorProto.DataType.Name(tensor.data_type)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def size_of(tensor: Any) -> int:
    """Bytes that a tensor's numbers take in the file."""
    if tensor.raw_data:
        return len(tensor.raw_data)
    bare = type(tensor)()
    bare.CopyFrom(tensor)
    for field in _DATA:
        bare.ClearField(field)
    return int(tensor.ByteSize() - bare.ByteSize())


def _readings(model: Any) -> dict[str, Reading]:
    """By the weights' name, the first node that says which integer stands for 0."""
    found: dict[str, Reading] = {}
    for node in model.graph.node:
        if node.op_type in ("MatMulNBits", "GatherBlockQuantized"):
            at, zero = (1, 3) if node.op_type == "MatMulNBits" else (0, 3)
            found.setdefault(node.input[at], Reading(node, _input(node, zero), 0))
        elif node.op_type in ZERO_POINTS:
            at, zero, axis = ZERO_POINTS[node.op_type]
            axis = (
                int(attributes(node).get("axis", axis))
                if node.op_type == "DequantizeLinear"
                else axis
            )
            found.setdefault(node.input[at], Reading(node, _input(node, zero), axis))
    return found


def _input(node: Any, position: int) -> str:
    return str(node.input[position]) if position < len(node.input) else ""


def _stored(tensors: Mapping[str, Any], name: str, reading: Reading | None) -> Stored:
    tensor = tensors[name]
    kind, size = type_of(tensor), size_of(tensor)
    if reading is not None and reading.node.op_type == "MatMulNBits":
        return _blocked(tensor, tensors.get(reading.zero), attributes(reading.node), size)
    values = values_of(tensor)
    if "int" not in kind:
        return floats(values, size, kind)
    bits = int(kind.lstrip("uint"))
    zero = _zero(values, tensors, reading) if reading is not None else 0
    return integers(values, size, kind, bits, kind.startswith("int"), zero)


def values_of(tensor: Any) -> Array:
    """A stored tensor's numbers, in its shape; bfloat16 as its bits."""
    kind = type_of(tensor)
    if kind.upper() in _PACKED and tensor.raw_data:
        raw = np.frombuffer(tensor.raw_data, np.uint8)
        return unpack(
            raw, _PACKED[kind.upper()], kind.startswith("int"), prod(tensor.dims)
        ).reshape(tensor.dims)
    if kind == "bfloat16" and tensor.raw_data:
        return np.frombuffer(tensor.raw_data, np.uint16).reshape(tensor.dims)
    from onnx import numpy_helper

    values: Array = numpy_helper.to_array(tensor)
    if values.dtype.kind in "fiub":
        return values
    wider: Array = values.astype(
        np.float32 if "float" in kind else np.int8 if kind.startswith("int") else np.uint8
    )
    return wider


def _zero(values: Array, tensors: Mapping[str, Any], reading: Reading) -> Any:
    """The integers that stand for 0, shaped so that they fit the values."""
    tensor = tensors.get(reading.zero)
    if tensor is None:
        return 0
    zero, axis = values_of(tensor), reading.axis
    if zero.size == 1:
        return zero.ravel()[0]
    block = int(attributes(reading.node).get("block_size", 0))
    if zero.ndim == values.ndim and block:
        axis = int(attributes(reading.node).get("quantize_axis", axis))
        return np.repeat(zero, block, axis).take(range(values.shape[axis]), axis)
    return zero.reshape([-1 if i == axis % values.ndim else 1 for i in range(values.ndim)])


def _blocked(tensor: Any, zero: Any, given: Mapping[str, Any], size: int) -> Stored:
    """MatMulNBits' weights: (outputs, blocks, bytes), unsigned, around the middle of the range
    where no zero points are given.
    """
    bits, inputs, outputs = int(given.get("bits", 4)), int(given["K"]), int(given["N"])
    block, blocks = int(given["block_size"]), -(-inputs // int(given["block_size"]))
    values = unpack(values_of(tensor).reshape(outputs, blocks, -1), bits, False, block)
    middle: Any = np.full((outputs, blocks, 1), 2 ** (bits - 1), np.uint8)
    if zero is not None:
        read = values_of(zero)
        packed = read.dtype == np.uint8
        middle = (
            unpack(read.reshape(outputs, -1), bits, False, blocks) if packed else read
        ).reshape(outputs, blocks, 1)
    if inputs == block * blocks:
        return integers(values, size, f"int{bits}", bits, False, middle)
    middle = np.broadcast_to(middle, values.shape).reshape(outputs, -1)[:, :inputs]
    return integers(
        values.reshape(outputs, -1)[:, :inputs], size, f"int{bits}", bits, False, middle
    )


def constant_tensors(model: Any) -> set[str]:
    """Names of what is stored, and of what is computed from nothing else."""
    fixed = {tensor.name for tensor in model.graph.initializer} | {""}
    for node in model.graph.node:
        if fixed.issuperset(node.input) and not _has_graph(node):
            fixed.update(node.output)
    return fixed - {""}


def _has_graph(node: Any) -> bool:
    return any(a.HasField("g") for a in node.attribute)


def owners(model: Any, fixed: set[str], rows: Mapping[str, int]) -> dict[str, int]:
    """Weight -> number of the row that computes with it, which may lie behind nodes that unpack it.

    Args:
        fixed: see `constant_tensors`.
        rows: name of a node's first output -> its row.
    """
    weights = set(weights_of(model))
    carried = {name: (name,) for name in weights}
    found: dict[str, int] = {}
    for node in model.graph.node:
        read = tuple(w for name in node.input for w in carried.get(name, ()))
        if node.output[0] in fixed:
            carried |= dict.fromkeys(node.output, read)
        elif node.output[0] in rows:
            found = dict.fromkeys(read, rows[node.output[0]]) | found
    for node in model.graph.node:  # what only constants are made of
        left = {
            name: rows[node.output[0]]
            for name in node.input
            if name in weights and node.output[0] in rows
        }
        found = left | found
    return found


def scale_names(model: Any) -> set[str]:
    """Names of the stored tensors that are scales and zero points."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return stored & {name for node in model.graph.node for name in scaling(node)}


def constants_in_nodes(model: Any) -> Iterator[Any]:
    """The tensors that Constant nodes hold."""
    yield from (
        a.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for a in node.attribute
        if a.HasField("t")
    )
