"""Counts what stored weights are: how many, how many zeros, how many at the ends of their range;
numpy on raw bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.lazy import np
from lab.plugs import Array

NARROW = 8
"""Integers of more bits are biases and the like: being at the end of their range says nothing."""
FEW = 16
"""Of fewer integers nothing is said: a lone factor is always at the end of its range."""
_WITH_NEGATIVE_END = 4
"""From so many bits on, symmetric weights leave the lowest integer out: -127 is the end of 8 bits
as well as -128.
"""


@dataclass(frozen=True)
class Stored:
    """The numbers of one stored tensor.

    Attributes:
        size_bytes: what they take in the file.
        zeros: how many stand for exactly 0.
        ends: how many are at the ends of their range; None where they are no integers of 8 bits or
            fewer.
    """

    numbers: int
    size_bytes: int
    dtype: str
    zeros: int
    ends: int | None = None


def unpack(raw: Array, bits: int, signed: bool, count: int | None = None) -> Array:
    """Integers of 8, 4, 2 or 1 bits, the lowest bits of a byte first.

    Args:
        raw: uint8 array of any shape; the last axis holds what is packed.
        count: how many numbers of the last axis are wanted: the last byte may hold fewer than it
            could.

    Returns:
        int8 or uint8 array.
    """
    if bits == NARROW:
        return raw.view(np.int8) if signed else raw
    shifts = np.arange(0, NARROW, bits, dtype=np.uint8)
    values = ((raw[..., None] >> shifts) & np.uint8(2**bits - 1)).reshape(*raw.shape[:-1], -1)[
        ..., :count
    ]
    half = np.uint8(2 ** (bits - 1))
    return ((values ^ half).view(np.int8) - half.view(np.int8)) if signed else values


def integers(
    values: Array, size_bytes: int, dtype: str, bits: int, signed: bool, zero: Any = 0
) -> Stored:
    """Counts integer weights.

    Args:
        zero: the integer that stands for 0, as a number or an array that fits the values.
    """
    zeros = (
        values.size - np.count_nonzero(values)
        if np.isscalar(zero) and not zero
        else np.count_nonzero(values == zero)
    )
    ends = _ends(values, bits, signed) if bits <= NARROW else None
    return Stored(values.size, size_bytes, dtype, int(zeros), ends)


def _ends(values: Array, bits: int, signed: bool) -> int:
    high = 2 ** (bits - signed) - 1
    low = 0 if not signed else -high if bits >= _WITH_NEGATIVE_END else -high - 1
    return int(np.count_nonzero(values >= high) + np.count_nonzero(values <= low))


def floats(values: Array, size_bytes: int, dtype: str) -> Stored:
    """Counts float weights; the array may be their bits, of which a sign is ignored."""
    if values.dtype == np.uint16:  # bits of a float: everything but the sign must be 0
        return Stored(
            values.size, size_bytes, dtype, int(np.count_nonzero((values << np.uint16(1)) == 0))
        )
    return Stored(values.size, size_bytes, dtype, int(values.size - np.count_nonzero(values)))


def facts(stored: Sequence[Stored]) -> dict[str, Any]:
    """The fields of `lab.evidence.OperatorFacts` about an operator's weights; the type is that of
    the most numbers.
    """
    narrow = [s for s in stored if s.ends is not None]
    of = sum(s.numbers for s in narrow)
    return {
        "weight_dtype": max(stored, key=lambda s: s.numbers).dtype if stored else "",
        "weights": sum(s.numbers for s in stored),
        "weight_bytes": sum(s.size_bytes for s in stored),
        "zeros": sum(s.zeros for s in stored),
        "saturated": sum(s.ends or 0 for s in narrow) / of if of >= FEW else None,
    }
