"""Small changes of ONNX graphs that meet assumptions of ONNX Runtime's quantizers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

_OWN = "_float"


def name_nodes(model: Any) -> None:
    """Give every node a unique name: the quantizers select nodes by name."""
    taken = Counter(node.name for node in model.graph.node)
    seen: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in seen:
            node.name = _free(node.output[0], taken)
        seen.add(node.name)
        taken[node.name] += 1


def _free(wanted: str, taken: Collection[str]) -> str:
    name = wanted
    while name in taken:
        name += "_"
    return name


def own_weights(model: Any, left: Collection[str]) -> None:
    """Copy weights that float nodes share with quantized nodes, since the shared ones become
    integers.
    """
    import onnx

    shared = {tensor for node in model.graph.node if node.name not in left for tensor in node.input}
    for tensor in list(model.graph.initializer):
        readers = [
            node for node in model.graph.node if node.name in left and tensor.name in node.input
        ]
        if readers and tensor.name in shared and tensor.data_type == onnx.TensorProto.FLOAT:
            copy = model.graph.initializer.add()
            copy.CopyFrom(tensor)
            copy.name += _OWN
            for node in readers:
                _read_instead(node, tensor.name, copy.name)


def read_unrounded(model: Any, left: Collection[str], quantized: Collection[str]) -> None:
    """Let float nodes read the original outputs of other float nodes, not the rounded ones that a
    quantized node needs.

    Outputs of a quantized node are rounded for all readers.
    """
    maker = {tensor: node for node in model.graph.node for tensor in node.output}
    for node in model.graph.node:
        for tensor in list(node.input) if node.name in left else ():
            before = _before_rounding(tensor, maker)
            if before is not None and (before not in maker or maker[before].name not in quantized):
                _read_instead(node, tensor, before)


def _before_rounding(tensor: str, maker: dict[str, Any]) -> str | None:
    """Return the activation behind a pair of QuantizeLinear and DequantizeLinear; None where there
    is no such pair.
    """
    back = maker.get(tensor)
    if back is None or back.op_type != "DequantizeLinear":
        return None
    forth = maker.get(back.input[0])
    return forth.input[0] if forth is not None and forth.op_type == "QuantizeLinear" else None


def _read_instead(node: Any, old: str, new: str) -> None:
    node.input[:] = [new if tensor == old else tensor for tensor in node.input]


def gemm_to_matmul(model: Any) -> None:
    """Rewrite plain Gemm nodes as MatMul and Add, with the names of ONNX Runtime's quantizer.

    Its own rewriting (onnxruntime 1.31, `replace_gemm_with_matmul`) transposes a weight once for
    each Gemm that shares it, which is only correct for an odd number of them.
    """
    plain = [node for node in model.graph.node if _is_plain(node, model)]
    weights = _untransposed(model, plain)
    nodes = [
        part
        for node in model.graph.node
        for part in (_split(node, weights) if node in plain else [node])
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _is_plain(node: Any, model: Any) -> bool:
    attributes = {a.name: a for a in node.attribute}
    scaled = any(name in attributes and attributes[name].f != 1 for name in ("alpha", "beta"))
    turned = "transA" in attributes and attributes["transA"].i
    return bool(
        node.op_type == "Gemm"
        and not scaled
        and not turned
        and _stored(model, node.input[1]) is not None
    )


def _stored(model: Any, name: str) -> Any | None:
    return next((tensor for tensor in model.graph.initializer if tensor.name == name), None)


def _is_transposed(gemm: Any) -> bool:
    return any(a.name == "transB" and a.i for a in gemm.attribute)


def _untransposed(model: Any, plain: list[Any]) -> dict[str, str]:
    """Return weight that these nodes read transposed -> name of the transposed copy."""
    from onnx import numpy_helper

    wanted = dict.fromkeys(node.input[1] for node in plain if _is_transposed(node))
    others = [n for n in model.graph.node if n not in plain or not _is_transposed(n)]
    kept = {tensor for node in others for tensor in node.input}
    names = {weight: weight if weight not in kept else f"{weight}_transposed" for weight in wanted}
    for weight, name in names.items():
        tensor = _stored(model, weight)
        turned = numpy_helper.from_array(numpy_helper.to_array(tensor).T.copy(), name)
        (
            tensor if tensor is not None and name == weight else model.graph.initializer.add()
        ).CopyFrom(turned)
    return names


def _split(gemm: Any, weights: dict[str, str]) -> list[Any]:
    from onnx import helper

    weight = weights[gemm.input[1]] if _is_transposed(gemm) else gemm.input[1]
    biased = len(gemm.input) > 2 and bool(gemm.input[2])
    product, name = gemm.output[0] + ("_MatMul" if biased else ""), gemm.name
    parts = [
        helper.make_node(
            "MatMul", [gemm.input[0], weight], [product], name=name and f"{name}_MatMul"
        )
    ]
    if biased:
        parts += [
            helper.make_node(
                "Add", [product, gemm.input[2]], [gemm.output[0]], name=name and f"{name}_Add"
            )
        ]
    return parts
