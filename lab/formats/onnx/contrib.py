"""ONNX Runtime's own operators (`com.microsoft`), told in ONNX's: what they read, and which
standard nodes have their shapes.

onnx infers no shape behind an operator that it does not know. Files that ONNX Runtime has
optimized, and those with blocked or 16-bit weights, are full of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

OWN = ("com.microsoft", "com.microsoft.nchwc")
FACTORS = {"QLinearConv": (0, 3), "QLinearMatMul": (0, 3), "QGemm": (0, 3)}
"""Positions of the two factors among a multiplying operator's inputs, where they are not the first
two.
"""

SCALING = {
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3), "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8), "QLinearAdd": (1, 2, 4, 5, 6, 7), "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QLinearSigmoid": (1, 2, 3, 4), "QLinearLeakyRelu": (1, 2, 3, 4),
    "QLinearSoftmax": (1, 2, 3, 4), "QLinearGlobalAveragePool": (1, 2, 3, 4),
    "QLinearAveragePool": (1, 2, 3, 4), "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5), "MatMulNBits": (2, 3, 4), "GatherBlockQuantized": (2, 3),
}  # fmt: skip
"""Positions of scales and zero points among an operator's inputs."""

_CONVOLUTION = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")


def scaling(node: Any) -> Iterator[str]:
    """The scales and zero points that a node reads."""
    many = node.op_type == "QLinearConcat"
    positions = (
        [i for i in range(len(node.input)) if i < 2 or (i - 2) % 3]
        if many
        else SCALING.get(node.op_type, ())
    )
    yield from (node.input[index] for index in positions if index < len(node.input))


def packed_weights(node: Any) -> int | None:
    """Count the weights of a node's second input, where it packs several into a byte; None where it
    does not.
    """
    given = attributes(node)
    return int(given["K"] * given["N"]) if node.op_type == "MatMulNBits" else None


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes as Python values."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def in_standard(model: Any) -> Any:
    """The model, with nodes of ONNX Runtime's own replaced by standard ones whose outputs have the
    same shapes.

    A model of standard nodes is returned as it is, of others a copy is changed; what has no
    counterpart stays.
    """
    if not any(node.domain in OWN for node in model.graph.node):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    nodes = [part for node in model.graph.node for part in _standard(node, copy)]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _standard(node: Any, model: Any) -> list[Any]:
    rule = _RULES.get(node.op_type) if node.domain in OWN else None
    return [node] if rule is None else rule(node, model)


def _make(
    type_: str,
    inputs: list[str],
    outputs: list[str],
    node: Any,
    keep: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    from onnx import helper

    given = attributes(node)
    return helper.make_node(
        type_, inputs, outputs, **{name: given[name] for name in keep if name in given}, **more
    )


def _as(
    type_: str, inputs: tuple[int, ...], keep: tuple[str, ...] = ()
) -> Callable[[Any, Any], list[Any]]:
    """The standard operator of that type, on some of the inputs and with some of the attributes."""
    return lambda node, model: [
        _make(type_, [node.input[i] for i in inputs], [node.output[0]], node, keep)
    ]


def _cast(kind: str) -> Callable[[Any, Any], list[Any]]:
    def rule(node: Any, model: Any) -> list[Any]:
        import onnx

        return [
            _make(
                "Cast",
                [node.input[0]],
                [node.output[0]],
                node,
                to=onnx.TensorProto.DataType.Value(kind),
            )
        ]

    return rule


def _product(node: Any, model: Any) -> list[Any]:
    """A product whose factors may be turned; the result is float, whatever the factors are."""
    import onnx

    given, name = attributes(node), node.output[0]
    if given.get("transBatchA") or given.get("transBatchB"):
        return [node]
    pairs = list(zip(node.input, ("transA", "transB"), strict=False))
    turned = [
        _make("Einsum", [t], [f"{name} {trans}"], node, equation="...ij->...ji")
        for t, trans in pairs
        if given.get(trans)
    ]
    factors = [f"{name} {trans}" if given.get(trans) else tensor for tensor, trans in pairs]
    product = _make("MatMul", factors, [f"{name} product"], node)
    return [
        *turned,
        product,
        _make("Cast", [f"{name} product"], [name], node, to=onnx.TensorProto.FLOAT),
    ]


def _blocked_product(node: Any, model: Any) -> list[Any]:
    from onnx import TensorProto, helper

    given, weight = attributes(node), f"{node.output[0]} weight"
    model.graph.input.append(
        helper.make_tensor_value_info(weight, TensorProto.FLOAT, [given["K"], given["N"]])
    )
    return [_make("MatMul", [node.input[0], weight], [node.output[0]], node)]


def _pair(type_: str, second: int, keep: tuple[str, ...]) -> Callable[[Any, Any], list[Any]]:
    """A convolution or pooling whose channels may be last."""

    def rule(node: Any, model: Any) -> list[Any]:
        x, y, rest = node.input[0], node.output[0], [node.input[second]] if second else []
        if not attributes(node).get("channels_last"):
            return [_make(type_, [x, *rest], [y], node, keep)]
        rank = next((len(t.dims) for t in model.graph.initializer if t.name in rest), 4)
        first, last = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
        return [
            _make("Transpose", [x], [f"{y} read"], node, perm=first),
            _make(type_, [f"{y} read", *rest], [f"{y} made"], node, keep),
            _make("Transpose", [f"{y} made"], [y], node, perm=last),
        ]

    return rule


def _unblocked(node: Any, model: Any) -> list[Any]:
    """Blocks are padded: what leaves them has as many channels as the attribute says."""
    import numpy as np
    from onnx import numpy_helper

    given, y = attributes(node), node.output[0]
    bounds = {f"{y} from": [0], f"{y} to": [given["channels"]], f"{y} axis": [1]}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(v, np.int64), name) for name, v in bounds.items()
    )
    if not given.get("channels_last"):
        return [_make("Slice", [node.input[0], *bounds], [y], node)]
    return [
        _make("Slice", [node.input[0], *bounds], [f"{y} made"], node),
        _make("Transpose", [f"{y} made"], [y], node, perm=[0, 2, 3, 1]),
    ]


def _concatenation(node: Any, model: Any) -> list[Any]:
    return [_make("Concat", list(node.input[2::3]), [node.output[0]], node, ("axis",))]


_SAME = (
    "QuickGelu", "Gelu", "FastGelu", "BiasGelu", "QLinearSigmoid", "QLinearLeakyRelu",
    "QLinearSoftmax", "SkipLayerNormalization", "LayerNormalization", "ReorderInput",
)  # fmt: skip
_RULES: dict[str, Callable[[Any, Any], list[Any]]] = {
    **{type_: _as("Identity", (0,)) for type_ in _SAME},
    "QuantizeLinear": _cast("UINT8"),
    "DequantizeLinear": _cast("FLOAT"),
    "Conv": _pair("Conv", 1, _CONVOLUTION),
    "FusedConv": _pair("Conv", 1, _CONVOLUTION),
    "QLinearConv": _pair("Conv", 3, _CONVOLUTION),
    "FusedGemm": _as("Gemm", (0, 1), ("transA", "transB")),
    "QGemm": _as("Gemm", (0, 3), ("transA", "transB")),
    "FusedMatMul": _product,
    "DynamicQuantizeMatMul": _product,
    "MatMulIntegerToFloat": _product,
    "MatMulNBits": _blocked_product,
    "GatherBlockQuantized": _as("Gather", (0, 1)),
    "QLinearAdd": _as("Add", (0, 3)),
    "QLinearMul": _as("Mul", (0, 3)),
    "QLinearConcat": _concatenation,
    "QLinearGlobalAveragePool": _pair("GlobalAveragePool", 0, ()),
    "QLinearAveragePool": _pair("AveragePool", 0, _POOL),
    "GlobalAveragePool": _pair("GlobalAveragePool", 0, ()),
    "AveragePool": _pair("AveragePool", 0, _POOL),
    "MaxPool": _pair("MaxPool", 0, _POOL),
    "ReorderOutput": _unblocked,
}
