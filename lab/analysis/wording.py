"""Scales of units, and plurals: the same for texts of rules and of plots.

Everything is keyed by a measurement's unit: "s", "B" and "1" (a share of one); other units are
shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SECONDS, BYTES, SHARE = "s", "B", "1"
_SAME_UNIT = {
    "s": SECONDS,
    "seconds": SECONDS,
    "b": BYTES,
    "byte": BYTES,
    "bytes": BYTES,
    "1": SHARE,
    "": SHARE,
    "fraction": SHARE,
    "ratio": SHARE,
    "share": SHARE,
}
_SCALES: Mapping[str, Sequence[tuple[float, float, str]]] = {
    SECONDS: (
        (60.0, 60.0, "min"),
        (0.1, 1.0, "s"),
        (1e-4, 1e-3, "ms"),
        (1e-7, 1e-6, "µs"),
        (0.0, 1e-9, "ns"),
    ),
    BYTES: ((1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB"), (0.0, 1.0, "B")),
    SHARE: ((0.0, 0.01, "%"),),
    "1/s": ((0.0, 1.0, "/s"),),
    "nat": ((0.1, 1.0, "nat"), (0.0, 1e-3, "mnat")),
    "J": ((0.1, 1.0, "J"), (1e-4, 1e-3, "mJ"), (0.0, 1e-6, "µJ")),
}
"""unit -> (from this value on, divide by this, suffix), largest first."""


def kind_of(unit: str) -> str:
    """The unit in the lab's spelling: "s", "B", "1", or the unit itself."""
    return _SAME_UNIT.get(unit.lower(), unit)


def scale(unit: str, reference: float) -> tuple[float, str]:
    """Divisor and suffix in which a number of about this size reads well: ("s", 4e-4) -> (1e-3,
    "ms").
    """
    for from_, divisor, suffix in _SCALES.get(kind_of(unit), ((0.0, 1.0, unit),)):
        if abs(reference) >= from_:
            return divisor, suffix
    return 1.0, unit


def plural(number: int, noun: str) -> str:
    """ "1 round", "3 rounds"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
