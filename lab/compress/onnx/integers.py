"""Storage of weights as integers in an ONNX model that quantizes float weights at every run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.lazy import np
from lab.plugs import Array


def store_integers(model: Any) -> int:
    """Replace QuantizeLinear of stored floats, and a Clip behind it, by stored 8-bit integers, in
    place.

    A Transpose of the dequantized weights is applied to the integers, so that a matrix product
    reads DequantizeLinear directly, the pattern that runtimes with integer kernels look for.

    Args:
        model: ModelProto with QuantizeLinear and DequantizeLinear around its weights.

    Returns:
        number of weights stored as integers.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    replaced = [
        node
        for node in graph.node
        if node.op_type == "QuantizeLinear" and stored.keys() >= set(node.input)
    ]
    for node in replaced:
        _store(graph, node, stored)
    for node in [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in stored]:
        _turn(graph, node, stored)
    _drop_unread(graph)
    return len(replaced)


def _store(graph: Any, node: Any, stored: dict[str, Any]) -> None:
    from onnx import numpy_helper

    values, scale, zero = (numpy_helper.to_array(stored[name]) for name in node.input)
    axis = _attribute(node, "axis", 1)
    integers = rounded(values, _along(scale, values.ndim, axis), _along(zero, values.ndim, axis))
    readers = _readers(graph, node.output[0])
    clips = [
        reader
        for reader in readers
        if reader.op_type == "Clip" and stored.keys() >= set(reader.input[1:])
    ]
    if len(readers) == 1 and clips:
        low, high = (numpy_helper.to_array(stored[name]) for name in clips[0].input[1:])
        integers = integers.clip(low, high)
        graph.node.remove(clips[0])
    name = clips[0].output[0] if len(readers) == 1 and clips else node.output[0]
    graph.node.remove(node)
    _add(graph, stored, name, integers)


def rounded(values: Array, scale: Array, zero: Array) -> Array:
    """Quantize like ONNX's QuantizeLinear: half to even, saturated to the type of the zero
    point.
    """
    limits = np.iinfo(zero.dtype)
    found: Array = (np.rint(values / scale) + zero).clip(limits.min, limits.max).astype(zero.dtype)
    return found


def _along(value: Array, ndim: int, axis: int) -> Array:
    return (
        value.reshape([-1 if at == axis % ndim else 1 for at in range(ndim)])
        if value.ndim
        else value
    )


def _turn(graph: Any, node: Any, stored: dict[str, Any]) -> None:
    """Transpose the stored integers where a Transpose is the only reader of the dequantized
    weights.
    """
    from onnx import numpy_helper

    readers = _readers(graph, node.output[0])
    if (
        len(readers) != 1
        or readers[0].op_type != "Transpose"
        or len(_readers(graph, node.input[0])) != 1
    ):
        return
    values = numpy_helper.to_array(stored[node.input[0]])
    order = _attribute(readers[0], "perm", list(range(values.ndim))[::-1])
    _add(graph, stored, f"{node.input[0]}_turned", np.ascontiguousarray(values.transpose(order)))
    node.input[0] += "_turned"
    for attribute in node.attribute:
        if attribute.name == "axis" and stored[node.input[1]].dims:
            attribute.i = list(order).index(attribute.i % values.ndim)
    node.output[0] = readers[0].output[0]
    graph.node.remove(readers[0])


def _attribute(node: Any, name: str, default: Any) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _readers(graph: Any, tensor: str) -> list[Any]:
    return [node for node in graph.node if tensor in node.input]


def _add(graph: Any, stored: dict[str, Any], name: str, values: Array) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values, name))
    stored[name] = graph.initializer[-1]


def _drop_unread(graph: Any) -> None:
    read: Mapping[str, None] = dict.fromkeys(name for node in graph.node for name in node.input)
    outputs = {value.name for value in graph.output}
    for tensor in [t for t in graph.initializer if t.name not in read and t.name not in outputs]:
        graph.initializer.remove(tensor)
