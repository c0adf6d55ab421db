"""Operators between DequantizeLinear and QuantizeLinear that a runtime can turn into one that
computes in integers.

Source: the selectors that ONNX Runtime registers for its CPU provider
(onnxruntime/core/optimizer/qdq_transformer/ selectors_actions/qdq_selector_action_transformer.cc):
8-bit numbers, 16-bit ones only where they are moved and not computed with. On x86 it takes unsigned
activations only; signed ones it makes unsigned first (qdq_s8_to_u8.cc), but not those that several
operators read.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.formats.onnx.contrib import attributes

DENSE = {"MatMul", "Gemm"}
"""Need no QuantizeLinear behind them, unless they add a bias that is stored in float."""
_UNSIGNED = {"x86_64", "AMD64"}
_CLIPPING = {"Relu", "Clip"}
"""Disappear into the range of the QuantizeLinear behind them."""
MOVING = {
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "MaxPool", "Gather", "Slice",
    "Split", "Resize", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Identity",
}  # fmt: skip
"""Hand integers on as integers."""
_PASSED = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
"""Change places with the quantization around them where that brings it beside an operator
(qdq_propagation.cc).
"""
_FUSIBLE = {
    "Conv",
    "Add",
    "Mul",
    "AveragePool",
    "GlobalAveragePool",
    "LeakyRelu",
    "Sigmoid",
    "Softmax",
    "Concat",
    "Where",
    *DENSE,
    *_CLIPPING,
    *MOVING,
}


@dataclass
class Fused:
    """Operators that a runtime can fuse; nodes are known by their first output.

    Attributes:
        integer: nodes that compute in integers.
        absorbed: quantizing and clipping nodes that become a part of them, and weights'
            dequantizations.
        quantized_by: node of `integer` -> the QuantizeLinear whose output it makes.
        pairs: how many DequantizeLinear nodes read a QuantizeLinear, none of the two beside a node
            that computes in integers.
    """

    integer: set[str] = field(default_factory=set)
    absorbed: set[str] = field(default_factory=set)
    quantized_by: dict[str, str] = field(default_factory=dict)
    pairs: int = 0


def fused(
    model: Any, fixed: set[str], integers: Mapping[str, str], machine: str = platform.machine()
) -> Fused:
    """See `Fused`.

    Args:
        fixed: tensors that depend on no input.
        integers: the element types of tensors of 8-bit and 16-bit integers: int8, uint16 …
        machine: the processor's architecture.
    """
    return _Finder(model, fixed, integers, machine in _UNSIGNED).run()


class _Finder:
    def __init__(
        self, model: Any, fixed: set[str], integers: Mapping[str, str], unsigned: bool
    ) -> None:
        self.nodes, self.fixed, self.integers, self.unsigned = (
            list(model.graph.node),
            fixed,
            integers,
            unsigned,
        )
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.readers[name].append(node)
        self.given = {value.name for value in model.graph.output}
        self.fused = Fused()

    def run(self) -> Fused:
        for node in self.nodes:
            if (
                node.op_type in _FUSIBLE
                and node.output[0] not in self.fixed
                and self._takes_integers(node)
            ):
                self._try(node)
        for node in self.nodes:
            if node.op_type == "DequantizeLinear" and self._is_absorbed(node):
                self.fused.absorbed.add(node.output[0])
        self.fused.pairs = sum(1 for node in self.nodes if self._is_in_vain(node))
        return self.fused

    def _takes_integers(self, node: Any) -> bool:
        """Return whether all activations that it reads, and the weights of its product, are
        dequantized from 8 bits.
        """
        read = [name for name in node.input if name and name not in self.fixed]
        factors = list(node.input[:2]) if node.op_type in {"Conv", *DENSE} else []
        return bool(read) and all(self._dequantizes(name, node) for name in {*read, *factors})

    def _passed(self, name: str) -> tuple[list[Any], str]:
        """The nodes between a tensor and what is dequantized, and the name of that; only one node
        may read each of them.
        """
        maker, between = self.maker.get(name), list[Any]()
        while (
            maker is not None
            and maker.op_type in _PASSED
            and len(self.readers[name]) == 1
            and name not in self.fixed
        ):
            between, name = [*between, maker], maker.input[0]
            maker = self.maker.get(name)
        return between, name

    def _dequantizes(self, name: str, reader: Any) -> bool:
        maker = self.maker.get(self._passed(name)[1])
        return (
            maker is not None
            and maker.op_type == "DequantizeLinear"
            and self._fits(maker.input[0], reader)
        )

    def _fits(self, tensor: str, node: Any) -> bool:
        """Return whether a node can read or write integers of this tensor's type."""
        kind = self.integers.get(tensor, "")
        if (
            self.unsigned
            and kind == "int8"
            and tensor not in self.fixed
            and node.op_type not in MOVING
        ):
            return sum(len(self.readers[reader.output[0]]) for reader in self.readers[tensor]) <= 1
        return kind.endswith("int8") or (kind.endswith("int16") and node.op_type in MOVING)

    def _try(self, node: Any) -> None:
        between, ends = self._behind(node)
        quantizers = [
            end
            for end in ends
            if end.op_type == "QuantizeLinear" and self._fits(end.output[0], node)
        ]
        if ends and len(quantizers) == len(ends):
            moved = [part.output[0] for part in between if part.op_type in _PASSED]
            self.fused.absorbed.update(
                part.output[0] for part in (*between, *quantizers) if part.output[0] not in moved
            )
            self.fused.quantized_by |= dict.fromkeys(
                [node.output[0], *moved], quantizers[0].output[0]
            )
            self.fused.integer.update(moved)
        elif node.op_type not in DENSE or (
            len(node.input) > 2 and not self._dequantizes_bias(node.input[2])
        ):
            return
        self.fused.integer.add(node.output[0])
        for name in node.input:
            before, source = self._passed(name)
            if before and self._dequantizes(name, node):
                self.fused.integer.update(part.output[0] for part in before)
                self.fused.quantized_by |= {
                    part.output[0]: self.maker[source].input[0] for part in before
                }

    def _dequantizes_bias(self, name: str) -> bool:
        maker = self.maker.get(name)
        return maker is not None and maker.op_type == "DequantizeLinear"

    def _behind(self, node: Any) -> tuple[list[Any], list[Any]]:
        """Clipping nodes and such that change places, which only it feeds, and what reads the
        result; nothing of an answer.
        """
        between: list[Any] = []
        while True:
            name = (between[-1] if between else node).output[0]
            readers = [] if name in self.given else self.readers[name]
            if len(readers) != 1 or readers[0].op_type not in {*_CLIPPING, *_PASSED}:
                return between, readers
            between.append(readers[0])

    def _is_absorbed(self, node: Any) -> bool:
        """Return whether every reader of its output computes in integers, or with blocks of its
        weights.
        """
        name = node.output[0]
        readers = list(self._all_readers(name))
        return (
            bool(readers)
            and name not in self.given
            and all(self._reads_integers(reader, node) for reader in readers)
        )

    def _reads_integers(self, reader: Any, node: Any) -> bool:
        blocks = (
            reader.op_type == "MatMul"
            and attributes(node).get("block_size")
            and node.output[0] in self.fixed
        )
        return reader.output[0] in self.fused.integer or bool(blocks)

    def _all_readers(self, name: str) -> Iterator[Any]:
        """Readers of a tensor; weights are read behind the nodes that transpose them."""
        for reader in self.readers[name]:
            if reader.output[0] in self.fixed:
                yield from self._all_readers(reader.output[0])
            else:
                yield reader

    def _is_in_vain(self, node: Any) -> bool:
        maker = self.maker.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if maker is None or maker.op_type != "QuantizeLinear" or maker.output[0] in self.fixed:
            return False
        read_by = any(
            reader.output[0] in self.fused.integer for reader in self.readers[node.output[0]]
        )
        return not read_by and maker.output[0] not in self.fused.absorbed
