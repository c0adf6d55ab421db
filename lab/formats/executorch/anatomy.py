"""Anatomy of an ExecuTorch program: its own kernels, and the operators inside XNNPACK's parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy, Kind, OperatorFacts
from lab.formats.anatomy import made_of
from lab.formats.executorch.inspect import (
    MULTIPLYING,
    WEIGHTS,
    is_integer,
    kind,
    read_program,
    values_of,
    xnnpack_graph,
)
from lab.formats.quiet import quiet
from lab.formats.stored_weights import Stored, facts, floats, integers, unpack
from lab.lazy import np
from lab.plugs import Array

_BITS = {"qint8": 8, "qcint8": 8, "quint8": 8, "qcint4": 4, "qbint4": 4}
_NUMPY = {
    "fp32": ("f4", "float32"),
    "fp16": ("u2", "float16"),
    "qint32": ("i4", "int32"),
    "qcint32": ("i4", "int32"),
}
_KERNEL_TYPES = {
    "FLOAT": ("f4", "float32"),
    "HALF": ("u2", "float16"),
    "BFLOAT16": ("u2", "bfloat16"),
    "CHAR": ("i1", "int8"),
    "BYTE": ("u1", "uint8"),
}
_MOVING = {
    "XNNStaticTranspose", "XNNConcatenate2", "XNNConcatenate3", "XNNConcatenate4",
    "XNNConcatenate5", "XNNStaticSlice", "XNNStaticConstantPad", "XNNStaticReshape",
}  # fmt: skip
_MIDDLE = 8
"""XNNPACK's packed 4-bit weights are unsigned around 8."""


def anatomy(path: Path) -> Anatomy:
    """See `lab.formats.anatomy.anatomy`; neither multiplications nor live activations are told."""
    with quiet():
        return _Reader(path).anatomy()


class _Reader:
    """One file while it is read."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, read_program(path)
        self.plan = self.file.program.execution_plan[0]
        self.parts: Counter[str] = Counter()
        self.seen: set[Any] = set()
        self.held = 0  # bytes of the program's own buffers that are weights

    def anatomy(self) -> Anatomy:
        operators = self._named(
            [
                facts
                for chain in self.plan.chains
                for i in chain.instructions
                for facts in self._of(i.instr_args)
            ]
        )
        buffers = sum(len(buffer.storage) for buffer in self.file.program.constant_buffer)
        self.parts["constants"] = buffers - self.held
        return made_of(self.path, "executorch", self.parts, operators)

    def _of(self, call: Any) -> Iterator[OperatorFacts]:
        if hasattr(call, "op_index"):
            yield self._kernel(call)
        elif hasattr(call, "delegate_index"):
            graph = xnnpack_graph(
                self.file, self.plan.delegates[call.delegate_index].processed.index
            )
            values = values_of(graph)
            for node in graph["xnodes"]:
                yield self._node(graph, values, node, call.args)

    @staticmethod
    def _named(operators: list[OperatorFacts]) -> list[OperatorFacts]:
        count: Counter[str] = Counter()
        named = []
        for operator in operators:
            count[operator.type] += 1
            named.append(replace(operator, name=f"{operator.type} {count[operator.type]}"))
        return named

    # --- ExecuTorch's own kernels -----------------------------------------------------------------

    def _kernel(self, call: Any) -> OperatorFacts:
        name = self.plan.operators[call.op_index].name
        part = "embeddings" if name == "aten::embedding" else "weights"
        mine = [s for index in dict.fromkeys(call.args) for s in self._held_outside(index, part)]
        kind_: Kind = "compute" if name in MULTIPLYING else "layout" if "copy" in name else "other"
        return OperatorFacts("", name, kind_, "float32", **facts(mine))

    def _held_outside(self, number: int, part: str = "weights") -> list[Stored]:
        """The weights that a value of the program is, where it is met for the first time."""
        found = list(self._tensor(self.plan.values[number].val))
        self.held += sum(s.size_bytes for s in found)
        self.parts[part] += sum(s.size_bytes for s in found)
        return found

    def _tensor(self, value: Any) -> Iterator[Stored]:
        index = getattr(value, "data_buffer_idx", 0)
        if not index or index in self.seen or value.scalar_type.name not in WEIGHTS:
            return
        self.seen.add(index)
        numpy, dtype = _KERNEL_TYPES[value.scalar_type.name]
        raw = np.frombuffer(bytes(self.file.program.constant_buffer[index].storage), np.uint8)
        values = raw[: prod(value.sizes) * np.dtype(numpy).itemsize].view(numpy)
        yield (
            integers(values, raw.size, dtype, 8, dtype == "int8")
            if "int" in dtype
            else floats(values, raw.size, dtype)
        )

    # --- inside of XNNPACK's parts ----------------------------------------------------------------

    def _node(
        self,
        graph: dict[str, Any],
        values: dict[int, dict[str, Any]],
        node: dict[str, Any],
        args: list[int],
    ) -> OperatorFacts:
        """A node's facts.

        Args:
            args: numbers of the program's values that the part is given, by their external ids.
        """
        name = kind(node)
        ids = [
            i
            for key, i in node["xnode_union"].items()
            if key.endswith("_id") and key != "output_id" and i in values
        ]
        mine = [s for i in dict.fromkeys(ids) for s in self._value(graph, values[i])]
        self.parts["weights"] += sum(s.size_bytes for s in mine)
        outside = [
            s
            for i in ids
            if values[i]["external_id"] < len(args)
            for s in self._held_outside(args[values[i]["external_id"]])
        ]
        mine += outside
        return OperatorFacts(
            "", name, self._kind(node, values), self._precision(node, values), **facts(mine)
        )

    def _value(self, graph: dict[str, Any], value: dict[str, Any]) -> Iterator[Stored]:
        index = value["constant_buffer_idx"]
        if not index or not (key := self._take(graph, index)):
            return
        if (scales := (value["quant_params"] or {}).get("scale_buffer_idx")) and self._take(
            graph, scales
        ):
            self.parts["scales"] += int(graph["constant_data"][scales]["size"])
        raw, kind_, count = (
            self._raw(key),
            value["datatype"].removeprefix("xnn_datatype_"),
            prod(value["dims"]),
        )
        if kind_ in _BITS:
            bits = _BITS[kind_]
            values = unpack(raw, bits, bits == 8 and kind_ != "quint8", count)
            yield integers(
                values, raw.size, f"int{bits}", bits, bits == 8, _MIDDLE if bits == 4 else 0
            )
            return
        numpy, dtype = _NUMPY[kind_]
        values = raw[: count * np.dtype(numpy).itemsize].view(numpy)
        yield (
            integers(values, raw.size, dtype, 32, True)
            if dtype == "int32"
            else floats(values, raw.size, dtype)
        )

    def _take(self, graph: dict[str, Any], index: int) -> str:
        """The key of a part's constant where it is met for the first time, else nothing."""
        key = str(graph["constant_data"][index]["named_key"])
        fresh = key not in self.seen
        self.seen.add(key)
        return key if fresh else ""

    def _raw(self, key: str) -> Array:
        entry = self.file.named_data.pte_data[key]
        return np.frombuffer(bytes(self.file.named_data.buffers[entry.buffer_index]), np.uint8)

    @staticmethod
    def _kind(node: dict[str, Any], values: dict[int, dict[str, Any]]) -> Kind:
        name = kind(node)
        if name == "XNNConvert":
            to = values[node["xnode_union"]["output_id"]]["datatype"].removeprefix("xnn_datatype_")
            return "dequantize" if to.startswith("fp") else "quantize"
        return "compute" if name in MULTIPLYING else "layout" if name in _MOVING else "other"

    @staticmethod
    def _precision(node: dict[str, Any], values: dict[int, dict[str, Any]]) -> str:
        if is_integer(node, values):
            return "int8"
        made = (
            values.get(node["xnode_union"].get("output_id", -1), {})
            .get("datatype", "")
            .removeprefix("xnn_datatype_")
        )
        return {"fp32": "float32", "fp16": "float16"}.get(made, "int8" if made in _BITS else "")
