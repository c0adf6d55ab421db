"""The layer table of a TFLite file: a row for each operator that computes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from lab.formats.tflite.files import load_tflite, operator_name, type_name
from lab.formats.tflite.inspect import operator_macs, shape_of, weights_of
from lab.types import Layer

_RENAMING = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "SHAPE"}
_BYTES = {
    "FLOAT64": 8,
    "INT64": 8,
    "COMPLEX64": 8,
    "FLOAT32": 4,
    "INT32": 4,
    "UINT32": 4,
    "FLOAT16": 2,
    "INT16": 2,
    "INT4": 0.5,
    "INT2": 0.25,
}


def layers(path: Path) -> list[Layer]:
    """See `lab.formats.layers.layer_table`; an input is named by its row's number, and of several
    subgraphs the first is read.
    """
    return rows_and_operators(load_tflite(path))[0]


def rows_and_operators(model: Any) -> tuple[list[Layer], list[int | None]]:
    """The rows, and for each operator of the first subgraph the number of its row.

    An operator without a row of its own has the one whose output it renames, or None where it
    renames the model's input.
    """
    tensors, weights = model.subgraphs[0].tensors, weights_of(model, model.subgraphs[0])
    rows: list[Layer] = []
    row_of: list[int | None] = []
    made_by: dict[int, int] = {}
    for operator in model.subgraphs[0].operators:
        kind = operator_name(model, operator)
        sources = list(dict.fromkeys(made_by[i] for i in operator.inputs if i in made_by))
        parameters = sum(weights.pop(tensors[i].buffer, 0) for i in operator.inputs if i >= 0)
        if parameters or not _is_silent(kind, tensors[operator.outputs[0]]):
            rows.append(_row(kind, operator, tensors, sources, parameters))
            sources = [len(rows) - 1]
        row_of.append(sources[0] if sources else None)
        made_by |= dict.fromkeys(map(int, operator.outputs), sources[0]) if sources else {}
    return rows, row_of


def _is_silent(kind: str, output: Any) -> bool:
    """Return whether an operator only renames its input, or computes shapes."""
    return kind in _RENAMING or (type_name(output).startswith("INT") and len(shape_of(output)) < 2)


def _row(
    kind: str, operator: Any, tensors: list[Any], sources: list[int], parameters: int
) -> Layer:
    output = tensors[operator.outputs[0]]
    shape = shape_of(output)
    size = round(prod(shape) * bytes_of(type_name(output)))
    name = output.name.decode().split(";")[0]
    macs = operator_macs(kind, operator, tensors)
    return Layer(name, kind, shape[1:], parameters, macs, size, tuple(map(str, sources)))


def bytes_of(kind: str) -> float:
    """Bytes of an element of a type: 4 for FLOAT32, a half for INT4."""
    return _BYTES.get(kind, 1)
