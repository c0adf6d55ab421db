"""Looks into TorchScript files: shapes, weights, operators, and what stayed float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.formats.torch_export.packed import packed_tensors
from lab.formats.torchscript.files import read_note, read_torchscript

MULTIPLYING = {
    f"aten::{name}"
    for name in (
        "_convolution",
        "_convolution_mode",
        "linear",
        "matmul",
        "bmm",
        "mm",
        "addmm",
        "gru",
        "lstm",
        "scaled_dot_product_attention",
    )
}


def inspect(path: Path) -> dict[str, Any]:
    """See `lab.formats.inspect.inspect`."""
    note, graph = read_note(path), read_torchscript(path).inlined_graph
    operators = Counter(_operators(graph))
    integer = any(name.startswith("quantized::") for name in operators)
    return {
        "inputs": [{"name": "input", **note["input"]}],
        "outputs": [{"name": "output", **note["output"]}],
        "parameters": sum(_stored(graph)),
        "macs": None,
        "operators": dict(operators),
        "float_operators": {n: c for n, c in operators.items() if integer and n in MULTIPLYING},
    }


def _operators(graph: Any) -> Iterator[str]:
    """Names as in the file: "aten::linear", "quantized::conv2d_relu"; without what only makes
    constants and lists.
    """
    yield from (node.kind() for node in graph.nodes() if not node.kind().startswith("prim::"))


def _stored(graph: Any) -> Iterator[int]:
    """Number of elements of each weight of the frozen graph; one that several operators read counts
    once.
    """
    for node in graph.nodes():
        if node.kind() == "prim::Constant" and node.hasAttribute("value"):
            yield from _sizes(node)


def _sizes(node: Any) -> Iterator[int]:
    if node.kindOf("value") == "t" and node.t("value").dim():
        yield node.t("value").numel()
    elif node.kindOf("value") == "ival":
        yield from (tensor.numel() for tensor in packed_tensors(node.output().toIValue()))
