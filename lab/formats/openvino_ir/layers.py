"""The layer table of an OpenVINO file: a row for each node that computes, under its friendly
name.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from lab.formats.openvino_ir.files import load_openvino
from lab.formats.openvino_ir.graph import (
    constants,
    for_one_item,
    kind,
    macs,
    operations,
    place_of,
    shape_of,
    stored,
)
from lab.formats.openvino_ir.inspect import weights_of
from lab.types import Layer

_RENAMING = {"Reshape", "Squeeze", "Unsqueeze", "Convert"}
_INTEGERS = {"i64", "i32"}


def layers(path: Path) -> list[Layer]:
    """See `lab.formats.layers.layer_table`; an input is named by its row's number."""
    return [row for _, row in nodes_and_layers(model_for_one_item(path))]


def model_for_one_item(path: Path) -> Any:
    """The model of a file with a batch of 1, where it takes that."""
    return _for_one_item(load_openvino(path))


def nodes_and_layers(model: Any) -> list[tuple[Any, Layer]]:
    """Each row of the table with its node."""
    fixed, weights = constants(model), weights_of(model)
    rows: list[tuple[Any, Layer]] = []
    made_by: dict[str, int] = {}
    for op in operations(model):
        inputs = [value.get_node().get_name() for value in op.input_values()]
        sources = list(dict.fromkeys(made_by[name] for name in inputs if name in made_by))
        parameters = sum(weights.pop(place_of(root), 0) for root in stored(op, fixed))
        if parameters or not _is_silent(op):
            rows.append((op, _row(op, sources, parameters)))
            sources = [len(rows) - 1]
        made_by |= {op.get_name(): sources[0]} if sources else {}
    return rows


def _for_one_item(model: Any) -> Any:
    try:
        return for_one_item(model)
    except (
        RuntimeError
    ):  # a graph that takes another batch only: shapes stay as the file gives them
        return model


def _is_silent(op: Any) -> bool:
    """Return whether a node only renames its input, or computes with shapes."""
    value = op.output(0)
    rank = value.get_partial_shape().rank
    of_shapes = kind(value) in _INTEGERS and rank.is_static and rank.get_length() < 2
    return op.get_type_name() in _RENAMING or of_shapes


def _row(op: Any, sources: list[int], parameters: int) -> Layer:
    try:
        shape = shape_of(op.output(0))
    except KeyError:
        shape = ()
    try:
        count: int | None = macs(op)
    except KeyError:
        count = None
    size = -(-prod(shape) * int(op.output(0).get_element_type().bitwidth) // 8) if shape else 0
    return Layer(
        op.get_friendly_name(),
        op.get_type_name(),
        shape[1:],
        parameters,
        count,
        size,
        tuple(map(str, sources)),
    )
