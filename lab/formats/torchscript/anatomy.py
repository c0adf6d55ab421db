"""Anatomy of a TorchScript file; its graph says neither shapes nor multiplications."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy, Kind, OperatorFacts
from lab.formats.anatomy import made_of
from lab.formats.stored_weights import facts
from lab.formats.torch_export.packed import packed_tensors
from lab.formats.torch_export.weights import payload, scale_bytes, stored
from lab.formats.torchscript.files import read_torchscript
from lab.formats.torchscript.inspect import MULTIPLYING

_TENSORS = r"/(constants|data)/\d+$"
_MOVING = {
    "transpose",
    "permute",
    "contiguous",
    "clone",
    "cat",
    "slice",
    "pad",
    "expand",
    "to",
    "stack",
    "split",
    "chunk",
    "constant_pad_nd",
}
_INTEGER_PRODUCTS = ("conv", "linear", "matmul", "gru", "lstm")


def anatomy(path: Path) -> Anatomy:
    """See `lab.formats.anatomy.anatomy`; operators are named after the value that they make."""
    graph = read_torchscript(path).inlined_graph
    constants = {
        node.output().debugName(): list(_tensors(node))
        for node in graph.nodes()
        if node.kind() == "prim::Constant"
    }
    operators, tables = [], 0
    tensors = [tensor for held in constants.values() for tensor in held]
    for node in graph.nodes():
        if node.kind().startswith("prim::"):
            continue
        mine = [stored(t) for value in node.inputs() for t in constants.pop(value.debugName(), ())]
        tables += sum(s.size_bytes for s in mine) if _short(node).startswith("embedding") else 0
        name = next((value.debugName() for value in node.outputs()), node.kind())
        operators.append(
            OperatorFacts(name, node.kind(), _kind(node), _precision(node, mine), **facts(mine))
        )
    weights = sum(stored(t).size_bytes for t in tensors)
    room = payload(path, _TENSORS)
    weights = min(weights, room)
    scales = min(scale_bytes(tensors), room - weights)
    parts = {
        "weights": weights - tables,
        "embeddings": tables,
        "scales": scales,
        "constants": room - weights - scales,
    }
    return made_of(path, "torchscript", parts, operators)


def _tensors(node: Any) -> Iterator[Any]:
    """The weights that a constant of the graph holds, unpacked."""
    if node.hasAttribute("value") and node.kindOf("value") == "t" and node.t("value").dim():
        yield node.t("value")
    elif node.hasAttribute("value") and node.kindOf("value") == "ival":
        yield from packed_tensors(node.output().toIValue())


def _short(node: Any) -> str:
    return str(node.kind()).partition("::")[2]


def _kind(node: Any) -> Kind:
    name = _short(node)
    if node.kind() in MULTIPLYING or (
        node.kind().startswith("quantized::") and name.startswith(_INTEGER_PRODUCTS)
    ):
        return "compute"
    found: dict[str, Kind] = {"quantize_per_tensor": "quantize", "dequantize": "dequantize"}
    return found.get(name, "layout" if name in _MOVING else "other")


def _precision(node: Any, mine: list[Any]) -> str:
    """Integers for the operators that are named so; else that of the weights."""
    if node.kind().startswith("quantized::"):
        return "int8"
    return str(max(mine, key=lambda s: s.numbers).dtype) if mine else ""
