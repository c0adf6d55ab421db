"""A model's layers, read from its file: what each computes, stores and hands on.

`python -m lab.formats.layers FILE FORMAT` prints the table as JSON: reading a Keras or PyTorch file
loads its framework, which a process that only shows the table must not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lab import registry
from lab.errors import InvalidFile, LabError
from lab.types import Layer

VERSION = 2
"""Raised when the same file would give another table."""


def layer_table(path: str | Path, format: str) -> list[Layer]:
    """Return the layers of a model in the order in which they run, for one item.

    A row is a layer as its framework knows it: a Keras layer, a PyTorch module without modules of
    its own (or an operation outside of any), an ONNX node, a TFLite operator. Operations that only
    rename their input (a reshape, dropout at inference) have no row.

    Args:
        format: id of a registered format whose layers can be read.

    Raises:
        InvalidFile: the file is damaged, or of another format.
    """
    reader = registry.formats().get(format)
    if reader is None or reader.layers is None:
        raise InvalidFile(
            "The layers of this format cannot be read",
            allowed=", ".join(f.id for f in registry.formats().values() if f.has("layers")),
            given=format,
        )
    return _unique(reader.layers(Path(path)))


def _unique(rows: Sequence[Layer]) -> list[Layer]:
    """Rows whose names differ: readers name inputs by row number until here."""
    names = unique_names(rows)
    return [
        replace(r, name=n, inputs=tuple(names[int(i)] for i in r.inputs))
        for r, n in zip(rows, names, strict=True)
    ]


def unique_names(rows: Sequence[Layer]) -> list[str]:
    """The rows' names, with " (2)" and so on behind those that came before."""
    seen: dict[str, int] = {}
    names = []
    for row in rows:
        seen[row.name] = seen.get(row.name, 0) + 1
        names.append(row.name if seen[row.name] == 1 else f"{row.name} ({seen[row.name]})")
    return names


def total_macs(layers: Sequence[Layer]) -> int | None:
    """Multiply-accumulate operations of all layers; None where one of them is unknown."""
    counts = [layer.macs for layer in layers]
    return None if None in counts else sum(count or 0 for count in counts)


def activation_peak_bytes(layers: Sequence[Layer]) -> int:
    """The most memory that outputs take at once, for one item: see `live_bytes`."""
    return max(live_bytes(layers), default=0)


def live_bytes(layers: Sequence[Layer]) -> list[int]:
    """Bytes of all outputs alive while each layer runs, for one item: an output lives from its
    layer until the last that reads it.

    What a runtime needs at least where it overwrites no input; the model's own input and scratch
    memory come on top.
    """
    ending: dict[int, int] = {}
    last = _last_reader(layers)
    for layer in layers:
        ending[last[layer.name]] = ending.get(last[layer.name], 0) + layer.activation_bytes
    alive, found = 0, []
    for index, layer in enumerate(layers):
        alive += layer.activation_bytes
        found.append(alive)
        alive -= ending.get(index, 0)
    return found


def _last_reader(layers: Sequence[Layer]) -> Mapping[str, int]:
    """Name -> index of the last layer that reads it; what nobody reads is an answer and stays to
    the end.
    """
    last = {layer.name: len(layers) for layer in layers}
    for index, layer in enumerate(layers):
        last |= dict.fromkeys(layer.inputs, index)
    return last


if __name__ == "__main__":
    from lab.formats.quiet import quiet

    try:
        with quiet():
            table = layer_table(sys.argv[1], sys.argv[2])
    except LabError as problem:
        sys.exit(str(problem))
    print(json.dumps([asdict(layer) for layer in table]))
