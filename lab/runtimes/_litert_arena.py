"""Size of a LiteRT interpreter's tensor arena, derived from the addresses of its tensors because
its API does not report it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ALIGNMENT = 64
"""Alignment of tensors in the arena (kDefaultTensorAlignment in tensorflow/lite/util.h)."""
_MAPS = Path("/proc/self/maps")


def arena_bytes(interpreter: Any, path: str) -> int | None:
    """Return the bytes covered by all tensors outside the mapped file, including temporary tensors
    of kernels.

    Tensors that share memory count once; gaps caused by alignment count too. Tensors of operators
    that run in a delegate have no memory. Return None if the file's mappings cannot be identified.

    Args:
        interpreter: interpreter with allocated tensors.
        path: path of its model file.
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
    except ValueError:  # no memory: it belongs to a delegate, or its size is only known at run time
        return None
    if not hasattr(array, "ctypes"):  # a scalar is returned as a copy
        return None
    return array.ctypes.data, array.ctypes.data + array.nbytes


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """Return the number of bytes inside at least one span (from, to), or between two spans closer
    than the alignment.
    """
    total, end = 0, 0
    for low, high in sorted(spans):
        start = end if 0 <= low - end < ALIGNMENT else max(low, end)
        total += max(high - start, 0)
        end = max(end, high)
    return total


def _mappings(path: str) -> list[tuple[int, int]]:
    """Return the address ranges where this process has mapped the file; empty if it has not, or if
    /proc is missing.
    """
    if not _MAPS.exists():
        return []
    real = os.path.realpath(path)
    lines = [line.split(maxsplit=5) for line in _MAPS.read_text().splitlines()]
    spans = [line[0].split("-") for line in lines if len(line) == 6 and line[5] == real]
    return [(int(low, 16), int(high, 16)) for low, high in spans]
