"""Operators of an OpenVINO graph that compute in integers once it is loaded, as FakeQuantize around
them decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from lab.formats.openvino_ir.graph import (
    MOVING,
    MULTIPLYING,
    factors,
    is_small,
    reads_integers,
    shape_of,
)

_NARROW_LEVELS = 256
_POOLS = {"AvgPool", "MaxPool", "ReduceMean"}
_ELEMENTWISE = {
    "Add",
    "Multiply",
    "Subtract",
    "Relu",
    "PRelu",
    "Clamp",
    "Gelu",
    "Sigmoid",
    "Tanh",
    "Swish",
    "HSwish",
    "Elu",
    "Mish",
}
"""Run as a part of the operator before them."""


class Integers:
    """A graph's operators, as they run.

    Attributes:
        multiplying: names of operators that multiply integers of 8 bits or fewer.
        stored_small: names of nodes whose output is handed on in 8 bits.
        absorbed: FakeQuantize nodes that the operator before them does on its way out.
    """

    def __init__(self, operations: Sequence[Any], fixed: set[str]) -> None:
        self.operations, self.fixed = operations, fixed
        self.readers: dict[str, list[Any]] = defaultdict(list)
        for op in operations:
            for value in op.input_values():
                self.readers[value.get_node().get_name()].append(op)
        self.multiplying = {
            op.get_name()
            for op in operations
            if op.get_type_name() in MULTIPLYING and self._is_integer(op)
        }
        quantizers = [op for op in operations if op.get_type_name() == "FakeQuantize"]
        useful = [op for op in quantizers if is_narrow(op) and self._feeds_integers(op)]
        self.absorbed = {op.get_name() for op in useful if self._is_fused(op)}
        before = {
            op.input_value(0).get_node().get_name()
            for op in useful
            if op.get_name() in self.absorbed
        }
        self.stored_small = {op.get_name() for op in useful} | before

    def pairs_in_vain(self) -> int:
        """FakeQuantize nodes that round numbers between operators which all compute in float."""
        quantizers = [op for op in self.operations if op.get_type_name() == "FakeQuantize"]
        return sum(
            not self._feeds_integers(op) and not self._follows_integers(op.input_value(0))
            for op in quantizers
        )

    def size(self, value: Any) -> int:
        """Bytes of an output as it is handed on; KeyError where its shape is unknown."""
        bits = (
            8
            if value.get_node().get_name() in self.stored_small
            else int(value.get_element_type().bitwidth)
        )
        return -(-prod(shape_of(value)) * bits // 8)

    def _is_integer(self, op: Any) -> bool:
        return all(
            reads_integers(value, self.fixed) and not _is_wide(value) for value in factors(op)
        )

    def _feeds_integers(self, op: Any) -> bool:
        """Return whether an operator that multiplies integers reads it, if only behind operators
        that move elements.
        """
        return any(
            reader.get_name() in self.multiplying
            or (self._hands_on(reader) and self._feeds_integers(reader))
            for reader in self.readers[op.get_name()]
        )

    def _hands_on(self, op: Any) -> bool:
        kind = op.get_type_name()
        return kind in {*MOVING, *_POOLS, "Concat"} or self._unpacks(op)

    def _unpacks(self, op: Any) -> bool:
        """A shift or a scale behind integers, as a DequantizeLinear becomes."""
        if op.get_type_name() not in ("Subtract", "Multiply"):
            return False
        return any(
            is_small(v.get_node().input_value(0))
            for v in op.input_values()
            if v.get_node().get_type_name() == "Convert"
        )

    def _follows_integers(self, value: Any) -> bool:
        node = value.get_node()
        if node.get_name() in self.multiplying:
            return True
        through = node.get_type_name() in _ELEMENTWISE and node.get_name() not in self.fixed
        return through and any(self._follows_integers(v) for v in node.input_values())

    def _is_fused(self, op: Any) -> bool:
        maker = op.input_value(0).get_node()
        alone = len(self.readers[maker.get_name()]) == 1
        return alone and maker.get_type_name() in {*MULTIPLYING, *_ELEMENTWISE, *_POOLS}


def is_narrow(op: Any) -> bool:
    """Return whether a FakeQuantize rounds to 8 bits or fewer."""
    return int(op.get_attributes()["levels"]) <= _NARROW_LEVELS


def _is_wide(value: Any) -> bool:
    return any(not is_narrow(op) for op in _quantizers(value))


def _quantizers(value: Any) -> Iterator[Any]:
    """The FakeQuantize nodes that an operator's input comes from, behind what moves numbers."""
    node = value.get_node()
    kind = node.get_type_name()
    if kind == "FakeQuantize":
        yield node
    elif kind == "Concat":
        for source in node.input_values():
            yield from _quantizers(source)
    elif kind in {*MOVING, "Subtract", "Multiply"} and node.input_values():
        yield from _quantizers(node.input_value(0))
