"""Conversion of stored data into a model's input: given, or found among the usual layouts and
scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array
from lab.types import InputSpec

PROBED_ITEMS = 300
"""Calibration items on which the candidates are tried, at most."""
SCALES = ((1.0, 0.0), (1 / 255, 0.0), (1 / 127.5, -1.0), (255.0, 0.0), (2.0, -1.0))
"""(scale, offset): as it is; bytes to 0…1 and to -1…1; 0…1 to bytes and to -1…1."""


@dataclass(frozen=True)
class Hints:
    """Facts about the input that the user gives; None where they are to be found.

    Attributes:
        layout: "NHWC" or "NCHW", of the images in the data.
        scale, offset: model input = data × scale + offset.
    """

    layout: str | None = None
    scale: float | None = None
    offset: float | None = None

    def as_given(self) -> Hints:
        """Return the hints with scale 1 and offset 0 where none is given: nothing to be found."""
        return Hints(self.layout, self.scale or 1.0, self.offset or 0.0)

    @property
    def is_scaled(self) -> bool:
        """True where scale or offset are given."""
        return self.scale is not None or self.offset is not None


def candidates(x: Array, shape: Sequence[int | None], dtype: str, hints: Hints) -> list[InputSpec]:
    """Return the ways in which stored items can become the model's input.

    Args:
        x: stored items, shape (n, *item).
        shape: of one item as the model takes it, None for a free axis; dtype: numpy's name.

    Raises:
        InvalidFile: no layout makes the items fit.
    """
    layouts = [pair for pair in _layouts(x.shape[1:], shape) if hints.layout in (None, pair[0])]
    if not layouts:
        raise InvalidFile(
            "The data do not fit the model's input",
            allowed=f"items of shape {tuple(shape)}",
            given=f"items of shape {x.shape[1:]}, layout {hints.layout or 'inferred'}",
        )
    integer = np.dtype(dtype).kind in "iu" and x.dtype.kind in "iu" and x.ndim == 2
    taken_type = dtype if integer else "float32"
    return [
        InputSpec(_item_shape(x.shape[1:], stored, taken), taken_type, taken, s, o, stored)
        for (stored, taken), (s, o) in product(layouts, _scales(x, hints, integer))
    ]


def describe(spec: InputSpec) -> str:
    """Return a way from data to input in words."""
    return f"layout {spec.data_layout} → {spec.layout}, × {spec.scale:.5g} {spec.offset:+.5g}"


def _layouts(item: tuple[int, ...], shape: Sequence[int | None]) -> list[tuple[str, str]]:
    """(layout of the data, layout of the model) pairs under which the item fits the input."""
    if len(item) != 3:
        return [("N", "N")] if _fits(item, shape) else []
    pairs = [("NHWC", "NHWC"), ("NHWC", "NCHW"), ("NCHW", "NHWC")]
    return [pair for pair in pairs if _fits(_item_shape(item, *pair), shape)]


def _item_shape(item: tuple[int, ...], stored: str, taken: str) -> tuple[int, ...]:
    if stored == taken:
        return tuple(item)
    return (item[2], item[0], item[1]) if taken == "NCHW" else (item[1], item[2], item[0])


def _fits(item: tuple[int, ...], shape: Sequence[int | None]) -> bool:
    return len(item) == len(shape) and all(
        size is None or not isinstance(size, int) or size < 0 or stored == size
        for stored, size in zip(item, shape, strict=True)
    )


def _scales(x: Array, hints: Hints, integer: bool) -> list[tuple[float, float]]:
    if hints.is_scaled or integer:
        return [(1.0 if hints.scale is None else hints.scale, hints.offset or 0.0)]
    highest = float(np.max(x[:PROBED_ITEMS]))
    return list(SCALES[:3]) if highest > 1.5 else [SCALES[0], *SCALES[3:]]
