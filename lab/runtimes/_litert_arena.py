"""How much memory a LiteRT interpreter lays its tensors out in, told from their addresses: its
interface gives no number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ALIGNMENT = 64
"""Tensors in the arena begin at multiples of it (kDefaultTensorAlignment in
tensorflow/lite/util.h).
"""
_MAPS = Path("/proc/self/maps")


def arena_bytes(interpreter: Any, path: str) -> int | None:
    """Bytes covered by all tensors that are not read from the file where it lies, kernels'
    temporary ones included.

    Tensors that share memory count once, and so do the gaps that alignment leaves. Those of an
    operator that a delegate took
    over have no memory. None where the file's mappings cannot be told apart from the rest.

    Args:
        interpreter: one whose tensors are allocated.
        path: of its model file.
    """
    stored = _mappings(path)
    if not stored:
        return None
    spans = [
        span
        for details in interpreter.get_tensor_details()
        if (span := _span(interpreter, details["index"]))
    ]
    return covered(span for span in spans if not any(low <= span[0] < high for low, high in stored))


def _span(interpreter: Any, index: int) -> tuple[int, int] | None:
    try:
        array = interpreter.tensor(index)()
    except ValueError:  # no memory: a delegate's, or of a size that is known only while it runs
        return None
    if not hasattr(array, "ctypes"):  # a number without axes comes as a copy
        return None
    return array.ctypes.data, array.ctypes.data + array.nbytes


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """How many bytes lie inside of at least one span (from, to), or between two that are less than
    the alignment apart.
    """
    total, end = 0, 0
    for low, high in sorted(spans):
        start = end if 0 <= low - end < ALIGNMENT else max(low, end)
        total += max(high - start, 0)
        end = max(end, high)
    return total


def _mappings(path: str) -> list[tuple[int, int]]:
    """Where this process has mapped the file; empty where it did not, or where /proc is missing."""
    if not _MAPS.exists():
        return []
    real = os.path.realpath(path)
    lines = [line.split(maxsplit=5) for line in _MAPS.read_text().splitlines()]
    spans = [line[0].split("-") for line in lines if len(line) == 6 and line[5] == real]
    return [(int(low, 16), int(high, 16)) for low, high in spans]
