"""Origins of the nodes of an ONNX graph that ONNX Runtime rewrote: nodes of the graph before,
matched by their tensors.

ONNX Runtime's optimizer gives a fused node the name of the tensor that the last of its parts made,
so what was between that tensor and the nearest ones that are still there went into it. Its layouts
with blocked or last channels rename tensors; nodes keep their names there, with a number behind, or
are named after the tensor whose maker they replace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MULTIPLYING = frozenset(
    {"Conv", "ConvTranspose", "MatMul", "Gemm", "GRU", "LSTM", "RNN", "Attention"}
)
ACTIVATIONS = frozenset(
    {"Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "FusedConv"}
)
_REORDERING = ("ReorderInput", "ReorderOutput", "Transpose")
_BLOCKED, _NUMBER = "_nchwc", re.compile(r"_token_\d+$")


@dataclass(frozen=True)
class Origin:
    """A node of the rewritten graph.

    Attributes:
        node: the node (NodeProto).
        parts: the nodes of the graph before that went into it, in their order; none where it was
            added.
    """

    node: Any
    parts: tuple[Any, ...]

    @property
    def main(self) -> Any | None:
        """The part that multiplies, or else the one that makes the output; None where the node was
        added.
        """
        return next(
            (part for part in self.parts if part.op_type in MULTIPLYING),
            self.parts[-1] if self.parts else None,
        )


def origins(before: Any, after: Any) -> list[Origin]:
    """Return the origins of each node of a rewritten graph.

    Args:
        before, after: GraphProto.
    """
    graph = _Before(before)
    anchors = [tuple(_anchors(node, graph)) for node in after.node]
    stops = {tensor for tensors in anchors for tensor in tensors} | {
        tensor.name for tensor in after.initializer
    }
    stops |= {tensor for node in after.node for tensor in node.output}
    ahead = [
        graph.absorbed(node, tensors) for node, tensors in zip(after.node, anchors, strict=True)
    ]
    taken = {index for found in ahead for index in found}
    parts = [
        sorted({*a, *graph.behind(tensors, stops, taken)})
        for a, tensors in zip(ahead, anchors, strict=True)
    ]
    return [
        Origin(n, tuple(before.node[i] for i in p)) for n, p in zip(after.node, parts, strict=True)
    ]


def untouched(graph: Any) -> list[Origin]:
    """A graph as a rewriting of itself."""
    return [Origin(node, (node,)) for node in graph.node]


def through(first: list[Origin], second: list[Origin]) -> list[Origin]:
    """Return the origins of nodes that were rewritten twice: `second` from the graph that `first`
    is about.
    """
    parts = {origin.node.output[0]: origin.parts for origin in first}
    return [
        Origin(o.node, tuple(part for middle in o.parts for part in parts[middle.output[0]]))
        for o in second
    ]


def vanished(before: Any, found: list[Origin]) -> list[Any]:
    """The nodes of the graph before that went into no other: removed, or computed once and
    stored.
    """
    used = {tensor for origin in found for part in origin.parts for tensor in part.output}
    return [node for node in before.node if not used & set(node.output)]


def _anchors(node: Any, before: _Before) -> Iterator[str]:
    """The tensors of the graph before that a node makes, or whose maker it replaces."""
    made = [tensor for tensor in node.output if tensor in before.maker]
    if node.op_type in _REORDERING and all(
        before.type_of_maker(tensor) != node.op_type for tensor in made
    ):
        return
    if (
        node.name.endswith(_BLOCKED)
        and (tensor := node.name.removesuffix(_BLOCKED)) in before.maker
    ):
        yield tensor
    yield from made
    if (
        not made
        and (same := before.named.get((node.op_type, _NUMBER.sub("", node.name)))) is not None
    ):
        yield same.output[0]


class _Before:
    """The graph before: who makes and who reads each tensor, by position."""

    def __init__(self, graph: Any) -> None:
        self.nodes = graph.node
        self.named = {(node.op_type, node.name): node for node in graph.node}
        self.maker = {
            tensor: index for index, node in enumerate(graph.node) for tensor in node.output
        }
        self.readers = Counter(tensor for node in graph.node for tensor in set(node.input))
        self.reader = {
            tensor: index for index, node in enumerate(graph.node) for tensor in node.input
        }

    def type_of_maker(self, tensor: str) -> str:
        """Operator type of the node that makes a tensor."""
        return str(self.nodes[self.maker[tensor]].op_type)

    def absorbed(self, node: Any, anchors: tuple[str, ...]) -> list[int]:
        """Operations that a convolution of blocked channels computes beside its own: a sum, then an
        activation.
        """
        if not node.domain.endswith("nchwc") or not anchors:
            return []
        found, tensor = list[int](), anchors[0]
        wanted = [frozenset({"Add"})] if sum(map(bool, node.input)) > 3 else []
        if any(a.name == "activation" for a in node.attribute):
            wanted += (
                [ACTIVATIONS] if self.nodes[self.maker[tensor]].op_type not in ACTIVATIONS else []
            )
        for types in wanted:
            if (
                self.readers[tensor] == 1
                and self.nodes[index := self.reader[tensor]].op_type in types
            ):
                found.append(index)
                tensor = self.nodes[index].output[0]
        return found

    def behind(self, anchors: tuple[str, ...], stops: set[str], taken: set[int]) -> set[int]:
        """The makers of these tensors, and what led to them from the nearest tensors that are still
        there.

        What two nodes computed inside both went into, such as a transposition before two products,
        counts for both.
        """
        found, ahead = set[int](), [self.maker[tensor] for tensor in anchors]
        while ahead:
            if (index := ahead.pop()) not in taken | found:
                found.add(index)
                ahead += [
                    self.maker[t]
                    for t in self.nodes[index].input
                    if t in self.maker and t not in stops
                ]
        return found
