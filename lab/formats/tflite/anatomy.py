"""Anatomy of a TFLite file; of several subgraphs, the first is the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy, Kind, OperatorFacts
from lab.formats.anatomy import made_of, planned
from lab.formats.layers import unique_names
from lab.formats.stored_weights import Stored, facts, floats, integers, unpack
from lab.formats.tflite.files import (
    block_scales,
    block_size,
    is_constant,
    load_tflite,
    operator_name,
    type_name,
)
from lab.formats.tflite.inspect import COMPUTE, shape_of, weights_of
from lab.formats.tflite.layers import bytes_of, rows_and_operators
from lab.lazy import np
from lab.plugs import Array

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(
        (
            *COMPUTE,
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            "UNIDIRECTIONAL_SEQUENCE_RNN",
            "LSTM",
            "RNN",
            "SVDF",
            "CONV_3D",
        ),
        "compute",
    ),
    "QUANTIZE": "quantize",
    "DEQUANTIZE": "dequantize",
    **dict.fromkeys(
        (
            "TRANSPOSE",
            "CAST",
            "CONCATENATION",
            "SLICE",
            "STRIDED_SLICE",
            "SPLIT",
            "SPLIT_V",
            "PACK",
            "UNPACK",
            "PAD",
            "PADV2",
            "TILE",
            "BROADCAST_TO",
            "DEPTH_TO_SPACE",
            "SPACE_TO_DEPTH",
            "RESHAPE",
            "MIRROR_PAD",
        ),
        "layout",
    ),
}
_LOOKUPS = {"GATHER", "EMBEDDING_LOOKUP"}
_BITS = {"INT8": 8, "UINT8": 8, "INT4": 4, "INT2": 2}
_NUMPY = {"FLOAT32": "f4", "FLOAT16": "u2", "INT32": "i4", "INT16": "i2", "INT64": "i8"}
_SCALE_BYTES, _ZERO_POINT_BYTES = 4, 8


def anatomy(path: Path) -> Anatomy:
    """See `lab.formats.anatomy.anatomy`; scales that lie among the tensors' descriptions are
    counted as scales.
    """
    return _Reader(path).anatomy()


class _Reader:
    """One file while it is read."""

    def __init__(self, path: Path) -> None:
        self.path, self.content, self.model = path, np.fromfile(path, np.uint8), load_tflite(path)
        self.graph = self.model.subgraphs[0]
        self.tensors = self.graph.tensors
        self.kinds = _type_names(self.tensors)
        self.weights = weights_of(self.model, self.graph)
        self.rows, row_of = rows_and_operators(self.model)
        first = {
            row: number for number, row in reversed(list(enumerate(row_of))) if row is not None
        }
        self.operators = [self.graph.operators[first[row]] for row in range(len(self.rows))]
        self.types = [operator_name(self.model, operator) for operator in self.operators]
        self.fixed = self._constants()
        self.owner = self._owners()

    def anatomy(self) -> Anatomy:
        mine: list[list[Stored]] = [[] for _ in self.rows]
        for buffer, (row, tensor) in self.owner.items():
            mine[row].append(self._stored(buffer, tensor))
        operators = [
            self._facts(n, name, mine[n]) for n, name in enumerate(unique_names(self.rows))
        ]
        return made_of(self.path, "tflite", self._parts(), operators, self._unfused(), self._live())

    def _constants(self) -> set[int]:
        """Tensors that are stored, and those computed from nothing else, such as weights in
        float.
        """
        fixed = {n for n, tensor in enumerate(self.tensors) if is_constant(self.model, tensor)} | {
            -1
        }
        for operator in self.graph.operators:
            if fixed.issuperset(map(int, operator.inputs)):
                fixed.update(map(int, operator.outputs))
        return fixed - {-1}

    def _owners(self) -> dict[int, tuple[int, int]]:
        """Buffer with weights -> the row that computes with them, and their tensor."""
        carried: dict[int, tuple[tuple[int, int], ...]] = {
            n: ((t.buffer, n),) for n, t in enumerate(self.tensors) if t.buffer in self.weights
        }
        found: dict[int, tuple[int, int]] = {}
        for row, operator in enumerate(self.operators):
            read = tuple(w for i in operator.inputs for w in carried.get(int(i), ()))
            if int(operator.outputs[0]) in self.fixed:
                carried |= dict.fromkeys(map(int, operator.outputs), read)
            else:
                found = {buffer: (row, tensor) for buffer, tensor in read} | found
        for row, operator in enumerate(self.operators):  # what only constants are made of
            left = {self.tensors[i].buffer: (row, int(i)) for i in operator.inputs if i >= 0}
            found = {
                buffer: place for buffer, place in left.items() if buffer in self.weights
            } | found
        return found

    # --- an operator ------------------------------------------------------------------------------

    def _facts(self, number: int, name: str, stored: Sequence[Stored]) -> OperatorFacts:
        kind = self.types[number]
        return OperatorFacts(
            name,
            kind,
            _KINDS.get(kind, "other"),
            self._precision(number),
            macs=self.rows[number].macs,
            moved_bytes=self._moved(number, stored),
            **facts(stored),
        )

    def _precision(self, number: int) -> str:
        """Return the type in which an operator computes; float activations times integers are
        rounded to 8 bits first.
        """
        operator, kind = self.operators[number], self.types[number]
        numbers = [int(i) for i in operator.inputs if i >= 0]
        if kind == "QUANTIZE":
            return self._number(int(operator.outputs[0]))
        moving = [i for i in numbers if i not in self.fixed] or numbers
        own = self._number(moving[0]) if moving else ""
        integer = any(self.kinds[i] in _BITS for i in numbers if i in self.fixed)
        return "int8" if kind in COMPUTE and own == "float32" and integer else own

    def _number(self, tensor: int) -> str:
        return self.kinds[tensor].lower().removeprefix("u")

    def _moved(self, number: int, stored: Sequence[Stored]) -> int:
        """A lookup reads as much as it hands on."""
        operator = self.operators[number]
        read = sum(
            self._bytes(int(i)) for i in operator.inputs if i >= 0 and int(i) not in self.fixed
        )
        made = sum(self._bytes(int(i)) for i in operator.outputs)
        if int(operator.outputs[0]) in self.fixed:  # what unpacks weights
            return made + sum(self._bytes(int(i)) for i in operator.inputs[:1])
        return (
            read
            + made
            + (made if self.types[number] in _LOOKUPS else sum(s.size_bytes for s in stored))
        )

    def _bytes(self, tensor: int) -> int:
        return round(prod(shape_of(self.tensors[tensor])) * bytes_of(self.kinds[tensor]))

    # --- stored numbers ---------------------------------------------------------------------------

    def _raw(self, buffer: int) -> Array:
        held = self.model.buffers[buffer]
        if held.size > 1:
            return self.content[held.offset : held.offset + held.size]
        return np.zeros(0, np.uint8) if held.data is None else np.asarray(held.data, np.uint8)

    def _stored(self, buffer: int, number: int) -> Stored:
        tensor, kind, raw = self.tensors[number], self.kinds[number], self._raw(buffer)
        count = prod(shape_of(tensor))
        if kind not in _BITS:
            values = raw[: count * np.dtype(_NUMPY[kind]).itemsize].view(_NUMPY[kind])
            whole = kind.startswith("INT")
            counted = (
                integers(values, raw.size, kind.lower(), 8 * values.itemsize, True)
                if whole
                else None
            )
            return counted or floats(values, raw.size, kind.lower())
        values, signed = unpack(raw, _BITS[kind], kind != "UINT8", count), kind != "UINT8"
        return integers(
            values.reshape(shape_of(tensor)),
            raw.size,
            kind.lower(),
            _BITS[kind],
            signed,
            _zero(tensor),
        )

    # --- the whole file ---------------------------------------------------------------------------

    def _parts(self) -> Mapping[str, int]:
        blocks, found, seen = block_scales(self.graph), Counter[str](), set()
        tables = {buffer for buffer, (row, _) in self.owner.items() if self.types[row] in _LOOKUPS}
        for graph in self.model.subgraphs:
            for number, tensor in enumerate(graph.tensors):
                found["scales"] += _described(tensor)
                if tensor.buffer in seen:
                    continue
                seen.add(tensor.buffer)
                scale = graph is self.graph and number in blocks
                part = "scales" if scale else "embeddings" if tensor.buffer in tables else "weights"
                part = (
                    "constants" if part == "weights" and tensor.buffer not in self.weights else part
                )
                found[part] += self._raw(tensor.buffer).size
        return found

    def _unfused(self) -> int:
        """DEQUANTIZE operators that give back in float what QUANTIZE has just made of floats."""
        made = {
            int(o.outputs[0])
            for o, kind in zip(self.operators, self.types, strict=True)
            if kind == "QUANTIZE" and self.kinds[int(o.inputs[0])].startswith("FLOAT")
        }
        pairs = zip(self.operators, self.types, strict=True)
        return sum(
            kind == "DEQUANTIZE" and int(operator.inputs[0]) in made for operator, kind in pairs
        )

    def _live(self) -> list[int]:
        """Unpacked weights are no activations."""
        sizes = {
            n: 0
            for n, operator in enumerate(self.operators)
            if int(operator.outputs[0]) in self.fixed
        }
        return planned(self.rows, (), sizes)


def _described(tensor: Any) -> int:
    details = tensor.quantization
    scales, zeros = (getattr(details, name, None) for name in ("scale", "zeroPoint"))
    return _SCALE_BYTES * len(scales if scales is not None else ()) + _ZERO_POINT_BYTES * len(
        zeros if zeros is not None else ()
    )


def _zero(tensor: Any) -> Any:
    """The integers that stand for 0, shaped so that they fit the tensor's numbers."""
    details = tensor.quantization
    zeros = None if details is None or block_size(tensor) else details.zeroPoint
    if zeros is None or not np.any(zeros):
        return 0
    if len(zeros) == 1:
        return int(zeros[0])
    axis, rank = int(details.quantizedDimension), len(shape_of(tensor))
    return np.asarray(zeros).reshape([-1 if i == axis else 1 for i in range(rank)])


def _type_names(tensors: Sequence[Any]) -> list[str]:
    known: dict[int, str] = {}
    for tensor in tensors:
        if tensor.type not in known:
            known[tensor.type] = type_name(tensor)
    return [known[tensor.type] for tensor in tensors]
