"""Walks over an OpenVINO graph: which operators multiply, which numbers they store, and where they
read integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.openvino_ir.files import load_openvino, openvino

CONVOLUTIONS = {"Convolution": 1, "GroupConvolution": 2}
"""Type -> the first axis of the weights that belongs to one output."""
TRANSPOSED = {"ConvolutionBackpropData": 1, "GroupConvolutionBackpropData": 2}
"""Type -> the first axis of the weights that belongs to one input."""
RECURRENT = {
    "GRUSequence": (3, 4),
    "LSTMSequence": (4, 5),
    "RNNSequence": (3, 4),
    "GRUCell": (2, 3),
    "LSTMCell": (3, 4),
    "RNNCell": (2, 3),
}
"""Type -> the inputs that hold its weights."""
ATTENTION = "ScaledDotProductAttention"
MULTIPLYING = {*CONVOLUTIONS, *TRANSPOSED, *RECURRENT, ATTENTION, "MatMul"}
_BODIES = {"TensorIterator", "Loop", "If"}
_SMALL = {"i8", "u8", "i4", "u4", "u3", "u6", "i2", "u2", "u1", "nf4", "f4e2m1", "f8e4m3", "f8e5m2"}
_SHAPES = {"i64", "i32", "u64", "u32", "i16", "u16", "boolean", "string"}
MOVING = {
    "Reshape", "Squeeze", "Unsqueeze", "Transpose", "MaxPool", "Relu", "Slice", "StridedSlice",
    "Gather", "Split", "VariadicSplit", "Pad", "Tile", "Broadcast", "ReduceMax", "Convert",
    "DepthToSpace", "SpaceToDepth",
}  # fmt: skip
"""What hands integers on as integers."""


def operations(model: Any) -> list[Any]:
    """The nodes that compute while the model runs, in their order: not what only depends on
    constants.
    """
    fixed = constants(model)
    ends = {"Parameter", "Result"}
    return [
        op
        for op in model.get_ordered_ops()
        if op.get_type_name() not in ends and op.get_name() not in fixed
    ]


def constants(model: Any) -> set[str]:
    """The unique names of constants and of the nodes that depend on nothing else, such as a
    weight's dequantization.
    """
    fixed: set[str] = set()
    for op in model.get_ordered_ops():
        inputs = [value.get_node().get_name() for value in op.input_values()]
        if op.get_type_name() == "Constant" or (
            inputs and fixed.issuperset(inputs) and op.get_type_name() != "Result"
        ):
            fixed.add(op.get_name())
    return fixed


def kind(value: Any) -> str:
    """The type of an output's numbers, as OpenVINO's files name it: f32, i8, nf4 …"""
    return str(value.get_element_type().get_type_name())


def is_small(value: Any) -> bool:
    """Return whether an output's elements take 8 bits or fewer, and so represent real numbers by a
    scale.
    """
    return kind(value) in _SMALL


def stored(op: Any, fixed: set[str]) -> Iterator[Any]:
    """The constants that are an operator's weights: neither its scales, nor shapes, nor indices."""
    values = op.input_values()
    ranges, multiplies = op.get_type_name() == "FakeQuantize", op.get_type_name() in MULTIPLYING
    for value in values[:1] if ranges else values:
        if value.get_node().get_name() in fixed:
            yield from _roots(value, multiplies)


def place_of(constant: Any) -> int:
    """Return the address of a constant's elements in memory."""
    return int(constant.get_tensor_view().data.ctypes.data)


def _roots(value: Any, multiplied: bool = False) -> Iterator[Any]:
    """The constants behind a value.

    Args:
        multiplied: 32-bit integers are taken, too: an ONNX file's integer products come with
            weights that are stored so.
    """
    node = value.get_node()
    if node.get_type_name() == "Constant":
        whole = multiplied and kind(value) == "i32" and len(node.get_output_shape(0)) > 1
        if whole or kind(value) not in _SHAPES:
            yield node
        return
    for source in _weights_among(node):
        yield from _roots(source, multiplied)


def _weights_among(node: Any) -> list[Any]:
    """The inputs of a constant node that lead to weights: of a dequantization, the integers; of a
    lookup, the indices.
    """
    values = list(node.input_values())
    if node.get_type_name() == "Gather" and is_small(_before_conversion(values[1])):
        return values[1:2]
    small = [value for value in values if any(is_small(root.output(0)) for root in _roots(value))]
    return small[:1] or values


def _before_conversion(value: Any) -> Any:
    node = value.get_node()
    return _before_conversion(node.input_value(0)) if node.get_type_name() == "Convert" else value


def reads_integers(value: Any, fixed: set[str]) -> bool:
    """Return whether a value comes from 8 bits or fewer: through FakeQuantize, or through a
    conversion and a scale.
    """
    node = value.get_node()
    if is_small(value) or node.get_type_name() == "FakeQuantize":
        return True
    if node.get_name() in fixed:
        return any(is_small(root.output(0)) for root in _roots(value))
    if node.get_type_name() in MOVING:
        return reads_integers(node.input_value(0), fixed)
    if node.get_type_name() in ("Subtract", "Multiply"):
        return reads_integers(_scaled(node, fixed), fixed)
    return node.get_type_name() == "Concat" and all(
        reads_integers(v, fixed) for v in node.input_values()
    )


def _scaled(node: Any, fixed: set[str]) -> Any:
    """The input of a dequantization that is scaled or shifted, not the scale or the shift."""
    first, second = node.input_values()
    return second if first.get_node().get_name() in fixed else first


def factors(op: Any) -> list[Any]:
    """Return the factors of a multiplying operator: its first input and its weights."""
    return [op.input_value(n) for n in (0, *RECURRENT.get(op.get_type_name(), (1,)))]


def float_operators(model: Any) -> list[Any]:
    """The multiplying operators that compute in float, in a model that has integers; none in a
    float model.

    One whose weights are integers counts as float only where the model quantizes activations, and
    not the one that it reads.
    """
    fixed, running = constants(model), operations(model)
    if not is_quantized(model):
        return []
    static = any(
        op.get_type_name() == "FakeQuantize" or any(map(is_small, op.outputs())) for op in running
    )
    return [
        op
        for op in running
        if op.get_type_name() in MULTIPLYING and not _in_integers(op, fixed, static)
    ]


def _in_integers(op: Any, fixed: set[str], static: bool) -> bool:
    moving = [value for value in factors(op) if value.get_node().get_name() not in fixed]
    weights = [value for value in factors(op) if value.get_node().get_name() in fixed]
    asked = weights + (moving if static or not weights else [])
    return all(reads_integers(value, fixed) for value in asked)


def load_float_openvino(path: Path) -> Any:
    """The model (openvino.Model) of a file that still computes in float.

    Raises:
        InvalidFile: it is no OpenVINO file, a damaged one, or quantized already.
    """
    model = load_openvino(path)
    if is_quantized(model):
        raise InvalidFile(
            "This OpenVINO file is quantized already",
            allowed="a float OpenVINO file",
            given=str(path),
        )
    return model


def small_weights(model: Any) -> Counter[str]:
    """Count the weights stored in each type of 8 bits or fewer."""
    fixed = constants(model)
    roots = {place_of(root): root for op in operations(model) for root in stored(op, fixed)}
    return Counter(kind(root.output(0)) for root in roots.values() if is_small(root.output(0)))


def is_quantized(model: Any) -> bool:
    """Return whether a model computes with integers or stores them as weights."""
    ops = model.get_ordered_ops()
    return any(
        op.get_type_name() == "FakeQuantize" or (_is_constant(op) and is_small(op.output(0)))
        for op in ops
    )


def _is_constant(op: Any) -> bool:
    return bool(op.get_type_name() == "Constant")


_BETWEEN = {
    "FakeQuantize",
    "Add",
    "Multiply",
    "Subtract",
    "Relu",
    "Clamp",
    "Gelu",
    "Sigmoid",
    "Tanh",
    "Convert",
}


def chains_integers(model: Any) -> bool:
    """Return whether a dense layer follows another with only elementwise operators between."""
    fixed = constants(model)
    dense: dict[
        str, bool
    ] = {}  # node -> whether it is a dense layer, or computed from one by elementwise operators
    for op in operations(model):
        sources = [value.get_node().get_name() for value in op.input_values()]
        after = any(dense.get(name) for name in sources)
        if op.get_type_name() == "MatMul" and len(sources) == 2 and sources[1] in fixed:
            if after:
                return True
            dense[op.get_name()] = True
        elif op.get_type_name() in _BETWEEN:
            dense[op.get_name()] = after
    return False


def workaround(graph: str, model: Any) -> dict[str, str]:
    """Return the settings that the CPU plug-in needs to compute rightly.

    Version 2026.4 fuses dense layers that follow each other (TokenizeMLPSeqSnippets, openvino pull
    request 30007); quantized, with
    one thread a stream, they then answer with noise.

    Args:
        graph: the model's XML; model: the same, read (openvino.Model).
    """
    return (
        {"SNIPPETS_MODE": "DISABLE"}
        if 'type="FakeQuantize"' in graph and chains_integers(model)
        else {}
    )


def for_one_item(model: Any) -> Any:
    """The model with the free first axes of its inputs set to 1."""
    shapes = {value: openvino().PartialShape(value.get_partial_shape()) for value in model.inputs}
    for shape in shapes.values():
        if len(shape) and shape[0].is_dynamic:
            shape[0] = 1
    model.reshape(shapes)
    return model


def shape_of(value: Any) -> tuple[int, ...]:
    """An output's shape.

    Raises:
        KeyError: an axis is not known.
    """
    if value.get_partial_shape().is_dynamic:
        raise KeyError(value)
    return tuple(int(size) for size in value.get_shape())


def macs(op: Any) -> int:
    """Multiply-accumulate operations of one operator, for the batch of its shapes; KeyError where a
    shape is unknown.
    """
    kind_ = op.get_type_name()
    if kind_ in _BODIES:
        raise KeyError(kind_)
    if kind_ not in MULTIPLYING:
        return 0
    if kind_ in RECURRENT:
        steps = shape_of(op.input_value(0))[1] if kind_.endswith("Sequence") else 1
        return steps * sum(prod(shape_of(op.input_value(n))) for n in RECURRENT[kind_])
    if kind_ in TRANSPOSED:
        return prod(shape_of(op.input_value(0))) * prod(
            shape_of(op.input_value(1))[TRANSPOSED[kind_] :]
        )
    if kind_ in CONVOLUTIONS:
        return prod(shape_of(op.output(0))) * prod(
            shape_of(op.input_value(1))[CONVOLUTIONS[kind_] :]
        )
    if kind_ == ATTENTION:
        query, keys, values = (shape_of(op.input_value(n)) for n in range(3))
        return prod(query) * keys[-2] + prod(query[:-1]) * keys[-2] * values[-1]
    axis = -2 if op.get_attributes()["transpose_a"] else -1
    return prod(shape_of(op.output(0))) * shape_of(op.input_value(0))[axis]
