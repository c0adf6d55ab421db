"""Anatomy of an ONNX file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy, Kind, OperatorFacts
from lab.formats.anatomy import made_of, planned
from lab.formats.layers import unique_names
from lab.formats.onnx.files import load_onnx
from lab.formats.onnx.fused import fused
from lab.formats.onnx.inspect import (
    INTEGER_PRODUCTS,
    MULTIPLYING,
    computes_in_integers,
    shapes_of,
    weights_of,
)
from lab.formats.onnx.layers import rows_of, types_of
from lab.formats.onnx.weights import (
    constant_tensors,
    constants_in_nodes,
    owners,
    scale_names,
    size_of,
    stored_weights,
    type_of,
)
from lab.formats.stored_weights import Stored, facts

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(
        (*MULTIPLYING, "Einsum", "Attention", "QAttention", "MultiHeadAttention"), "compute"
    ),
    **dict.fromkeys(("QuantizeLinear", "DynamicQuantizeLinear"), "quantize"),
    "DequantizeLinear": "dequantize",
    **dict.fromkeys(
        (
            "Transpose",
            "ReorderInput",
            "ReorderOutput",
            "Cast",
            "Concat",
            "QLinearConcat",
            "Slice",
            "Split",
            "Pad",
            "Expand",
            "Tile",
            "DepthToSpace",
            "SpaceToDepth",
            "Reshape",
            "Identity",
        ),
        "layout",
    ),
}
_LOOKUPS = {"Gather", "GatherBlockQuantized", "EmbedLayerNormalization"}


def anatomy(path: Path) -> Anatomy:
    """See `lab.formats.anatomy.anatomy`; weights that no operator reads are in the parts only."""
    model = load_onnx(path)
    return _Reader(path, model).anatomy()


class _Reader:
    """One file while it is read."""

    def __init__(self, path: Path, model: Any) -> None:
        self.path, self.model = path, model
        self.shapes, types = shapes_of(model), types_of(model)
        pairs = rows_of(model, self.shapes, types)
        self.nodes, self.rows = [node for node, _ in pairs], [row for _, row in pairs]
        self.row_of = {node.output[0]: number for number, node in enumerate(self.nodes)}
        self.types = _named(types, model)
        self.fixed = constant_tensors(model)
        self.dequantizes = {
            n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "DequantizeLinear"
        }
        self.fused = fused(model, self.fixed, self.types)
        self.stored, self.owner = stored_weights(model), owners(model, self.fixed, self.row_of)

    def anatomy(self) -> Anatomy:
        mine: list[list[Stored]] = [[] for _ in self.rows]
        for name, row in self.owner.items():
            mine[row].append(self.stored[name])
        names = unique_names(self.rows)
        operators = [
            self._facts(number, names[number], mine[number]) for number in range(len(self.rows))
        ]
        return made_of(self.path, "onnx", self._parts(), operators, self.fused.pairs, self._live())

    def _facts(self, number: int, name: str, stored: Sequence[Stored]) -> OperatorFacts:
        node, row = self.nodes[number], self.rows[number]
        return OperatorFacts(
            name,
            node.op_type,
            _KINDS.get(node.op_type, "other"),
            self._precision(node),
            macs=row.macs,
            moved_bytes=self._moved(node, stored),
            **facts(stored),
        )

    def _precision(self, node: Any) -> str:
        first, type_ = node.output[0], node.op_type
        kind = self.types.get(self.fused.quantized_by.get(first, first), "")
        if first in self.fused.quantized_by:
            return kind.removeprefix("u")
        if first in self.fused.integer or type_ in INTEGER_PRODUCTS or type_.startswith("QLinear"):
            return "int8"
        if type_ == "MatMulNBits":
            return "int8" if computes_in_integers(node) else kind
        kind = self.types.get(node.input[0], "") if type_ == "DequantizeLinear" else kind
        return (
            kind.removeprefix("u")
            if "int" in kind and _KINDS.get(type_) in ("quantize", "dequantize")
            else kind
        )

    # --- bytes ------------------------------------------------------------------------------------

    def _moved(self, node: Any, stored: Sequence[Stored]) -> int | None:
        """Nothing for what disappears into another operator; a lookup reads as much as it hands
        on.
        """
        first = node.output[0]
        if first in self.fused.absorbed:
            return 0
        integer = first in self.fused.integer
        read = [
            self._bytes(self._read_as(name, integer))
            for name in node.input
            if name and name not in self.fixed
        ]
        made = [
            self._bytes(self.fused.quantized_by.get(name, name)) for name in node.output if name
        ]
        if None in (*read, *made):
            return None
        if first in self.fixed:  # what unpacks weights
            return sum(self._bytes(name) or 0 for name in node.input[:1]) + sum(filter(None, made))
        weights = (
            sum(filter(None, made))
            if node.op_type in _LOOKUPS
            else sum(s.size_bytes for s in stored)
        )
        return sum(filter(None, (*read, *made))) + weights

    def _read_as(self, name: str, integer: bool) -> str:
        """The tensor that is read in fact: an operator that computes in integers needs none
        dequantized.
        """
        handed_on = self.fused.quantized_by.get(name, name)
        return self.dequantizes.get(name, handed_on) if integer else handed_on

    def _bytes(self, name: str) -> int | None:
        if name not in self.shapes:
            return None
        return round(prod(self.shapes[name]) * _item_bytes(self.types.get(name, "float32")))

    def _live(self) -> list[int]:
        """Empty where a shape is unknown; unpacked weights are no activations."""
        if any(node.output[0] not in self.shapes for node in self.nodes):
            return []
        quantized = [
            (name, self._bytes(to))
            for name, to in self.fused.quantized_by.items()
            if name in self.row_of
        ]
        sizes = {self.row_of[name]: size for name, size in quantized if size is not None}
        sizes |= {self.row_of[name]: 0 for name in self.fixed if name in self.row_of}
        return planned(
            self.rows,
            {self.row_of[name] for name in self.fused.absorbed if name in self.row_of},
            sizes,
        )

    def _parts(self) -> Mapping[str, int]:
        """Bytes of the file by part; a table that is only looked up is an embedding."""
        scales, weights = scale_names(self.model), weights_of(self.model)
        tables = {name for name, row in self.owner.items() if self.nodes[row].op_type in _LOOKUPS}
        found: Counter[str] = Counter()
        for tensor in self.model.graph.initializer:
            part = (
                "scales"
                if tensor.name in scales
                else "embeddings"
                if tensor.name in tables
                else "weights"
            )
            found["constants" if part == "weights" and tensor.name not in weights else part] += (
                size_of(tensor)
            )
        found["constants"] += sum(map(size_of, constants_in_nodes(self.model)))
        return found


def _named(types: Mapping[str, int], model: Any) -> dict[str, str]:
    """Element type of each tensor by its name in numpy."""
    import onnx

    names = {number: str(name).lower() for name, number in onnx.TensorProto.DataType.items()}
    names |= {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}
    return {name: names[kind] for name, kind in types.items()} | {
        t.name: type_of(t) for t in model.graph.initializer
    }


def _item_bytes(kind: str) -> float:
    bits = kind.lstrip("abcdefghijklmnopqrstuvwxyz") or "8"
    return int(bits.partition("e")[0]) / 8
