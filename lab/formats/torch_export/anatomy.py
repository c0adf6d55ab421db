"""Anatomy of a torch.export program."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy, Kind, OperatorFacts
from lab.formats.anatomy import made_of, planned
from lab.formats.layers import unique_names
from lab.formats.stored_weights import facts
from lab.formats.torch_export.files import example, load_program
from lab.formats.torch_export.layers import layers_and_parameters
from lab.formats.torch_export.weights import payload, stored
from lab.types import Layer

_MOVING = {
    "transpose",
    "permute",
    "contiguous",
    "clone",
    "cat",
    "slice",
    "pad",
    "expand",
    "_to_copy",
    "to",
    "stack",
    "split",
    "chunk",
}
_LOOKUPS = {"Embedding", "embedding"}
_TENSORS = r"/data/(weights/weight|constants/tensor)_\d+$"


def anatomy(path: Path) -> Anatomy:
    """See `lab.formats.anatomy.anatomy`; what batch normalisations remember of their training
    counts as constants.
    """
    program = load_program(path)
    pairs = layers_and_parameters(program)
    rows = [row for row, _ in pairs]
    held = {name: stored(program.state_dict[name]) for name in program.graph_signature.parameters}
    named = [
        (name, row, [held[p] for p in mine])
        for name, (row, mine) in zip(unique_names(rows), pairs, strict=True)
    ]
    item = example(program, 1)
    given = item.numel() * item.element_size()
    tables = sum(s.size_bytes for _, row, mine in named if row.type in _LOOKUPS for s in mine)
    all_bytes = payload(path, _TENSORS)
    weights = min(sum(s.size_bytes for s in held.values()), all_bytes)
    parts = {"weights": weights - tables, "embeddings": tables, "constants": all_bytes - weights}
    precision = next((s.dtype for s in held.values()), "")
    operators = [_facts(name, row, mine, rows, given, precision) for name, row, mine in named]
    return made_of(path, "torch_export", parts, operators, 0, planned(rows))


def _facts(
    name: str, row: Layer, mine: list[Any], rows: list[Layer], given: int, precision: str
) -> OperatorFacts:
    """A row's facts.

    Args:
        mine: what is stored for it; given: bytes of one item of the model's input, for rows that
            read no other one.
    """
    read = sum(rows[int(i)].activation_bytes for i in row.inputs) if row.inputs else given
    made = row.activation_bytes
    weights = made if row.type in _LOOKUPS else sum(s.size_bytes for s in mine)
    return OperatorFacts(
        name,
        row.type,
        _kind(row),
        precision,
        macs=row.macs,
        moved_bytes=read + made + weights if prod(row.output_shape) else None,
        **facts(mine),
    )


def _kind(row: Layer) -> Kind:
    return "compute" if row.macs else "layout" if row.type in _MOVING else "other"
