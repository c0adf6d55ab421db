"""Anatomy of an OpenVINO file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy, Kind, OperatorFacts
from lab.formats.anatomy import made_of, planned
from lab.formats.layers import unique_names
from lab.formats.openvino_ir.graph import (
    MULTIPLYING,
    constants,
    is_small,
    kind,
    operations,
    place_of,
    stored,
)
from lab.formats.openvino_ir.inspect import weights_of
from lab.formats.openvino_ir.integers import Integers
from lab.formats.openvino_ir.layers import model_for_one_item, nodes_and_layers
from lab.formats.stored_weights import Stored, facts, floats, integers, unpack
from lab.lazy import np
from lab.plugs import Array

_KINDS: dict[str, Kind] = {
    **dict.fromkeys((*MULTIPLYING, "Einsum"), "compute"),
    "FakeQuantize": "quantize",
    **dict.fromkeys(
        (
            "Transpose",
            "Concat",
            "Slice",
            "StridedSlice",
            "Split",
            "VariadicSplit",
            "Pad",
            "Broadcast",
            "Tile",
            "DepthToSpace",
            "SpaceToDepth",
            "Reshape",
        ),
        "layout",
    ),
}
_DTYPES = {"i": "int", "u": "uint", "f": "float", "bf": "bfloat"}
_PACKED = {"i4": 4, "u4": 4, "u2": 2, "i2": 2, "u1": 1}
_MINUS_ZERO = 0x7F
_ZERO_CODES = {"nf4": 7, "f4e2m1": 0}
"""Which 4-bit code stands for 0 (NF4: Dettmers et al. 2023, appendix E; E2M1: OCP Microscaling
1.0).
"""


def anatomy(path: Path) -> Anatomy:
    """See `lab.formats.anatomy.anatomy`; what runs inside of loops counts as structure."""
    return _Reader(path).anatomy()


class _Reader:
    """One file while it is read."""

    def __init__(self, path: Path) -> None:
        self.path, self.model = path, model_for_one_item(path)
        pairs = nodes_and_layers(self.model)
        self.nodes, self.rows = [op for op, _ in pairs], [row for _, row in pairs]
        self.fixed, running = constants(self.model), operations(self.model)
        self.integers = Integers(running, self.fixed)
        self.row_of = {op.get_name(): number for number, op in enumerate(self.nodes)}
        self.owned: list[list[Any]] = [[] for _ in self.rows]
        left = weights_of(self.model)
        for number, op in enumerate(self.nodes):
            self.owned[number] = [
                root
                for root in stored(op, self.fixed)
                if left.pop(place_of(root), None) is not None
            ]

    def anatomy(self) -> Anatomy:
        names = unique_names(self.rows)
        operators = [self._facts(number, names[number]) for number in range(len(self.rows))]
        return made_of(
            self.path,
            "openvino_ir",
            self._parts(),
            operators,
            self.integers.pairs_in_vain(),
            self._live(),
        )

    def _facts(self, number: int, name: str) -> OperatorFacts:
        op, weights = self.nodes[number], [_stored(root) for root in self.owned[number]]
        type_ = op.get_type_name()
        return OperatorFacts(
            name,
            type_,
            _kind(op),
            self._precision(op),
            macs=self.rows[number].macs,
            moved_bytes=self._moved(op, weights),
            **facts(weights),
        )

    def _precision(self, op: Any) -> str:
        if op.get_name() in self.integers.multiplying:
            return "int8"
        if op.get_type_name() == "FakeQuantize":
            return "int8" if int(op.get_attributes()["levels"]) <= 256 else "int16"
        return _dtype(kind(op.output(0)))

    def _moved(self, op: Any, weights: Sequence[Stored]) -> int | None:
        """Nothing for what disappears into the operator before it; a lookup reads as much as it
        hands on.
        """
        if op.get_name() in self.integers.absorbed:
            return 0
        try:
            read = sum(
                self.integers.size(v)
                for v in op.input_values()
                if v.get_node().get_name() not in self.fixed
            )
            made = sum(map(self.integers.size, op.outputs()))
        except KeyError:
            return None
        return (
            read
            + made
            + (
                made
                if op.get_type_name() == "Gather" and weights
                else sum(w.size_bytes for w in weights)
            )
        )

    def _live(self) -> list[int]:
        """Empty where a shape is unknown."""
        try:
            sizes = {
                number: self.integers.size(op.output(0)) for number, op in enumerate(self.nodes)
            }
        except KeyError:
            return []
        absorbed = {self.row_of[name] for name in self.integers.absorbed if name in self.row_of}
        return planned(self.rows, absorbed, sizes)

    def _parts(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        weights = set(weights_of(self.model))
        tables = {
            place_of(root)
            for op, roots in zip(self.nodes, self.owned, strict=True)
            for root in roots
            if op.get_type_name() == "Gather"
        }
        seen: set[int] = set()
        for op in self.model.get_ordered_ops():
            if op.get_type_name() != "Constant" or not op.get_byte_size() or place_of(op) in seen:
                continue
            seen.add(place_of(op))
            known = (
                "embeddings"
                if place_of(op) in tables
                else "weights"
                if place_of(op) in weights
                else ""
            )
            found[known or ("scales" if self._is_scale(op) else "constants")] += int(
                op.get_byte_size()
            )
        return found

    def _is_scale(self, constant: Any) -> bool:
        """Return whether a constant shifts or scales weights, gives the ends of a range, or is a
        codebook.
        """
        for target in constant.output(0).get_target_inputs():
            reader = target.get_node()
            through = reader.get_type_name() in ("Convert", "Reshape", "Unsqueeze", "Broadcast")
            if through and reader.get_name() in self.fixed and self._is_scale(reader):
                return True
            unpacking = reader.get_name() in self.fixed and reader.get_type_name() in (
                "Multiply",
                "Subtract",
                "Gather",
            )
            if (reader.get_type_name() == "FakeQuantize" and target.get_index()) or (
                unpacking and not is_index(constant)
            ):
                return True
        return False


def is_index(node: Any) -> bool:
    """Return whether a node's output is 64-bit integers: shapes and axes."""
    return kind(node.output(0)) in ("i64", "i32")


def _kind(op: Any) -> Kind:
    if op.get_type_name() in ("Multiply", "Subtract") and any(
        v.get_node().get_type_name() == "Convert" and is_small(v.get_node().input_value(0))
        for v in op.input_values()
    ):
        return "dequantize"
    return _KINDS.get(op.get_type_name(), "other")


def _dtype(kind_: str) -> str:
    """OpenVINO's name of a type as numpy writes it: i8 is int8."""
    letters = kind_.rstrip("0123456789")
    return (
        _DTYPES[letters] + kind_[len(letters) :]
        if letters in _DTYPES and kind_[len(letters) :]
        else kind_
    )


def _stored(root: Any) -> Stored:
    """Type, elements and bytes of a constant with weights."""
    kind_, size = kind(root.output(0)), int(root.get_byte_size())
    shape = [int(n) for n in root.get_output_shape(0)]
    data = np.asarray(root.get_tensor_view().data)
    if kind_ == "i32":
        return integers(data, size, "int32", 32, True)
    if not ((is_small(root.output(0)) and kind_[0] in "iun") or kind_ in _ZERO_CODES):
        return floats(
            data.view(np.uint16) if kind_ in ("bf16", "f16") else data, size, _dtype(kind_)
        )
    count = int(np.prod(shape))
    raw = np.ascontiguousarray(data).view(np.uint8).ravel()
    if kind_ in _ZERO_CODES:
        values = unpack(raw, 4, False, count)
        return Stored(count, size, kind_, int(np.count_nonzero(values == _ZERO_CODES[kind_])))
    bits, signed = _PACKED.get(kind_, 8), kind_.startswith("i")
    values = unpack(raw, bits, signed, count).reshape(shape)
    return integers(values, size, _dtype(kind_), bits, signed, _zero(root, bits, signed))


def _zero(root: Any, bits: int, signed: bool) -> Any:
    """The integers that stand for 0: what is subtracted from the weights, or the code of 0 in their
    codebook.
    """
    for target in root.output(0).get_target_inputs():
        reader = target.get_node()
        type_ = reader.get_type_name()
        if type_ == "Gather" and target.get_index() == 1:
            return _code_of_zero(reader.input_value(0).get_node())
        if type_ == "Subtract" and target.get_index() == 0:
            return _values(reader.input_value(1).get_node())
        if type_ == "Convert":
            return _zero(reader, bits, signed)
    return 0


def _code_of_zero(codebook: Any) -> int:
    if codebook.get_type_name() == "Convert":
        return _code_of_zero(codebook.input_value(0).get_node())
    raw = np.asarray(codebook.get_tensor_view().data).ravel()
    codes = np.flatnonzero(
        (raw.view(np.uint8) & _MINUS_ZERO) == 0 if raw.dtype.itemsize == 1 else raw == 0
    )
    return int(codes[0]) if len(codes) else -1


def _values(node: Any) -> Array:
    """A constant's integers, behind conversions, in its shape."""
    if node.get_type_name() != "Constant":
        return _values(node.input_value(0).get_node())
    kind_ = kind(node.output(0))
    data = np.ascontiguousarray(node.get_tensor_view().data)
    if kind_ not in _PACKED:
        return data
    shape = [int(n) for n in node.get_output_shape(0)]
    return unpack(
        data.view(np.uint8).ravel(), _PACKED[kind_], kind_.startswith("i"), int(np.prod(shape))
    ).reshape(shape)
