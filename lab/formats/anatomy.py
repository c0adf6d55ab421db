"""Anatomy of a model file, read without running it: bytes by part, and each operator with its
weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab import registry
from lab.errors import InvalidFile
from lab.evidence import Anatomy, OperatorFacts
from lab.formats.layers import live_bytes
from lab.types import Layer

VERSION = 3
"""Raised when the same file would give another anatomy."""

PARTS = ("weights", "embeddings", "scales", "constants", "structure")


def anatomy(path: str | Path, format: str) -> Anatomy:
    """Return the bytes of a file by part, and its operators; see `lab.evidence.Anatomy`.

    Operators are the rows of the file's layer table, under the same names. Weights belong to the
    operator that computes with them, not to those that unpack them on the way. Elements that only
    describe shapes or quantization are not weights.

    Args:
        format: id of a registered format whose anatomy can be read.

    Raises:
        InvalidFile: the file is damaged, or of another format.
    """
    reader = registry.formats().get(format)
    if reader is None or reader.anatomy is None:
        raise InvalidFile(
            "The anatomy of this format cannot be read",
            allowed=", ".join(f.id for f in registry.formats().values() if f.has("anatomy")),
            given=format,
        )
    return reader.anatomy(Path(path))


def made_of(
    path: Path,
    format: str,
    parts: Mapping[str, int],
    operators: Iterable[OperatorFacts] = (),
    unfused_pairs: int = 0,
    live: Sequence[int] = (),
) -> Anatomy:
    """The anatomy of a file whose bytes outside of the parts are its structure."""
    size = path.stat().st_size
    known = {name: parts.get(name, 0) for name in PARTS[:-1]}
    return Anatomy(
        format,
        size,
        {**known, "structure": size - sum(known.values())},
        tuple(operators),
        unfused_pairs,
        tuple(live),
    )


def planned(
    rows: Sequence[Layer], absorbed: Collection[int] = (), sizes: Mapping[int, int] | None = None
) -> list[int]:
    """Activations alive while each row runs, in bytes, where a runtime fuses what it can.

    Args:
        rows: inputs are row numbers.
        absorbed: numbers of the rows that make no tensor of their own: what reads them reads their
            first input.
        sizes: row -> bytes of its output, where fusing changes its type.
    """
    source: dict[int, int] = {}
    planned_rows: list[Layer] = []
    for number, row in enumerate(rows):
        inputs = tuple(dict.fromkeys(str(source.get(int(i), int(i))) for i in row.inputs))
        if number in absorbed:
            source |= {number: int(inputs[0])} if inputs else {}
            inputs = ()
        size = 0 if number in absorbed else (sizes or {}).get(number, row.activation_bytes)
        planned_rows.append(replace(row, name=str(number), inputs=inputs, activation_bytes=size))
    return live_bytes(planned_rows)
