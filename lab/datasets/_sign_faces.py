"""Faces of the signs of `signs`: shape, colours and pictogram of each, as a table, and the geometry
that draws it.

Lengths are in units of about half a sign; x to the right, y down, the origin in the middle of the
plate.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

from lab.lazy import np
from lab.plugs import Array

Colour = tuple[float, float, float]
Points = tuple[tuple[float, float], ...]
RED, BLUE, YELLOW = (0.76, 0.09, 0.11), (0.07, 0.26, 0.66), (0.96, 0.74, 0.08)
WHITE, BLACK, GREEN = (0.93, 0.93, 0.92), (0.05, 0.05, 0.06), (0.07, 0.55, 0.24)


@dataclass(frozen=True)
class Plate:
    """A convex plate with sides at the distances `apothems` from the origin, evenly spaced around
    it; no sides is a disc.
    """

    apothems: tuple[float, ...] = ()
    first_rad: float = 0.0

    def distance(self, u: Array, v: Array) -> Array:
        """Return the signed distance of points from the edge, negative inside; arrays of one shape
        -> the same shape.
        """
        if not self.apothems:
            distance: Array = np.sqrt(u * u + v * v) - 1.0
            return distance
        edge = np.full_like(u, -np.inf)
        for side, apothem in enumerate(self.apothems):
            angle = self.first_rad + 2 * pi * side / len(self.apothems)
            np.maximum(edge, cos(angle) * u + sin(angle) * v - apothem, out=edge)
        return edge


DISC, OCTAGON, DIAMOND = Plate(), Plate((0.95,) * 8), Plate((0.78,) * 4, pi / 4)
POINT_UP, POINT_DOWN = Plate((0.6,) * 3, pi / 2), Plate((0.6,) * 3, -pi / 2)
SQUARE, WIDE = Plate((0.85,) * 4), Plate((1.15, 0.6, 1.15, 0.6))


@dataclass(frozen=True)
class Mark:
    """A line through points with round ends; a single point is a disc."""

    colour: Colour
    half_width: float
    points: Points

    def distance(self, u: Array, v: Array) -> Array:
        """Return the signed distance, see `Plate.distance`."""
        ends = self.points[1:] or self.points
        square = np.full_like(u, np.inf)
        for (x0, y0), (x1, y1) in zip(self.points, ends, strict=False):
            du, dv, length2 = x1 - x0, y1 - y0, (x1 - x0) ** 2 + (y1 - y0) ** 2
            wu, wv = u - x0, v - y0
            if length2 > 0:
                along = np.clip((wu * du + wv * dv) / length2, 0.0, 1.0)
                wu, wv = wu - along * du, wv - along * dv
            np.minimum(square, wu * wu + wv * wv, out=square)
        return np.sqrt(square) - self.half_width


@dataclass(frozen=True)
class Face:
    """A sign: plate, colours from the outside in with the depth below the edge where each starts,
    and the pictogram.
    """

    name: str
    plate: Plate
    bands: tuple[tuple[float, Colour], ...]
    marks: tuple[Mark, ...] = ()


def _lines(
    colour: Colour,
    half_width: float,
    *lines: Points,
    size: float = 1.0,
    at: tuple[float, float] = (0, 0),
) -> tuple[Mark, ...]:
    """Scale a pictogram drawn in -1..1 to `size` and move it to `at`."""
    return tuple(
        Mark(colour, half_width, tuple((at[0] + size * x, at[1] + size * y) for x, y in line))
        for line in lines
    )


def _mirrored(lines: tuple[Points, ...]) -> tuple[Points, ...]:
    return tuple(tuple((-x, y) for x, y in line) for line in lines)


UP = (((0, 1), (0, -1)), ((-0.7, -0.3), (0, -1), (0.7, -0.3)))
LEFT = (((1, 0), (-1, 0)), ((-0.3, -0.7), (-1, 0), (-0.3, 0.7)))
DOWN_RIGHT = (((-0.8, -0.8), (0.8, 0.8)), ((-0.2, 0.85), (0.8, 0.8), (0.85, -0.2)))
TURN_LEFT = (((0.5, 1), (0.5, -0.3), (-0.8, -0.3)), ((-0.2, -0.9), (-0.9, -0.3), (-0.2, 0.3)))
BEND_LEFT = (
    ((0.45, 1), (0.45, 0.1), (-0.35, -0.4), (-0.35, -0.9)),
    ((-0.8, -0.5), (-0.35, -1), (0.1, -0.5)),
)
CROSS = (((0, -1), (0, 1)), ((-0.8, 0), (0.8, 0)))
NARROW = (
    ((-0.65, 1), (-0.65, 0.4), (-0.25, -0.2), (-0.25, -1)),
    ((0.65, 1), (0.65, 0.4), (0.25, -0.2), (0.25, -1)),
)
P = (((-0.5, 1), (-0.5, -1), (0.2, -1), (0.6, -0.5), (0.2, 0.05), (-0.5, 0.05)),)
H = (((-0.6, -1), (-0.6, 1)), ((0.6, -1), (0.6, 1)), ((-0.6, 0), (0.6, 0)))
STOP = (
    ((-0.62, -0.7), (-0.95, -0.7), (-0.95, -0.05), (-0.62, 0.05), (-0.62, 0.7), (-0.95, 0.7)),
    ((-0.42, -0.7), (-0.08, -0.7)),
    ((-0.25, -0.7), (-0.25, 0.75)),
    ((0.12, -0.7), (0.42, -0.7), (0.42, 0.7), (0.12, 0.7), (0.12, -0.7)),
    ((0.64, 0.75), (0.64, -0.7), (0.95, -0.7), (0.95, 0), (0.64, 0)),
)
DIGITS: dict[str, Points] = {
    "0": ((0, -1), (0.5, -0.6), (0.5, 0.6), (0, 1), (-0.5, 0.6), (-0.5, -0.6), (0, -1)),
    "3": ((-0.5, -0.8), (0.1, -1), (0.5, -0.55), (0.0, -0.05), (0.55, 0.45), (0.1, 1), (-0.5, 0.8)),
    "5": ((0.5, -1), (-0.4, -1), (-0.45, -0.1), (0.15, -0.25), (0.55, 0.35), (0.1, 1), (-0.5, 0.8)),
    "8": (
        (0, 0),
        (0.48, -0.5),
        (0, -1),
        (-0.48, -0.5),
        (0, 0),
        (0.55, 0.5),
        (0, 1),
        (-0.55, 0.5),
        (0, 0),
    ),
}


def _warning(name: str, marks: tuple[Mark, ...]) -> Face:
    return Face(name, POINT_UP, ((0, RED), (0.19, WHITE)), marks)


def _drawn_warning(name: str, lines: tuple[Points, ...]) -> Face:
    return _warning(name, _lines(BLACK, 0.075, *lines, size=0.37, at=(0, 0.08)))


def _forbidden(name: str, marks: tuple[Mark, ...] = ()) -> Face:
    return Face(name, DISC, ((0, RED), (0.2, WHITE)), marks)


def _limit(tens: str) -> Face:
    digit, zero = (
        _lines(BLACK, 0.085, DIGITS[d], size=0.42, at=(x, 0))
        for d, x in ((tens, -0.32), ("0", 0.32))
    )
    return _forbidden(f"Speed limit {tens}0", digit + zero)


def _no_turn(name: str, lines: tuple[Points, ...]) -> Face:
    return _forbidden(
        name, _lines(BLACK, 0.1, *lines, size=0.48) + _lines(RED, 0.08, ((-0.7, -0.7), (0.7, 0.7)))
    )


def _duty(name: str, lines: tuple[Points, ...]) -> Face:
    return Face(name, DISC, ((0, WHITE), (0.06, BLUE)), _lines(WHITE, 0.13, *lines, size=0.55))


def _board(name: str, lines: tuple[Points, ...], plate: Plate = SQUARE, size: float = 0.5) -> Face:
    return Face(name, plate, ((0, WHITE), (0.07, BLUE)), _lines(WHITE, 0.12, *lines, size=size))


LIGHTS = tuple(
    Mark(colour, 0.14, ((0, y),)) for colour, y in ((RED, -0.27), (YELLOW, 0.05), (GREEN, 0.37))
)
EXCLAMATION = _lines(BLACK, 0.1, ((0, -0.35), (0, 0.13)), ((0, 0.42),))
END = _lines(BLACK, 0.05, ((-0.6, 0.45), (0.45, -0.6)), ((-0.45, 0.6), (0.6, -0.45)))

FACES = (
    _warning("Danger", EXCLAMATION),
    _drawn_warning("Bend to the left", BEND_LEFT),
    _drawn_warning("Bend to the right", _mirrored(BEND_LEFT)),
    _drawn_warning("Crossroads", CROSS),
    _drawn_warning("Road narrows", NARROW),
    _warning("Traffic lights", LIGHTS),
    Face("Stop", OCTAGON, ((0, WHITE), (0.06, RED)), _lines(WHITE, 0.06, *STOP, size=0.72)),
    Face("Give way", POINT_DOWN, ((0, RED), (0.19, WHITE))),
    Face("Priority road", DIAMOND, ((0, WHITE), (0.17, YELLOW))),
    Face("End of priority road", DIAMOND, ((0, WHITE), (0.17, YELLOW)), END),
    Face("No entry", DISC, ((0, WHITE), (0.05, RED)), _lines(WHITE, 0.16, ((-0.55, 0), (0.55, 0)))),
    _forbidden("No vehicles"),
    _limit("3"),
    _limit("5"),
    _limit("8"),
    _no_turn("No left turn", TURN_LEFT),
    _no_turn("No right turn", _mirrored(TURN_LEFT)),
    _duty("Turn left", LEFT),
    _duty("Turn right", _mirrored(LEFT)),
    _duty("Straight on", UP),
    _duty("Pass on the right", DOWN_RIGHT),
    _board("Parking", P),
    _board("Hospital", H),
    _board("One way", LEFT, WIDE, size=0.75),
)
"""One face for each class. Meanings and colours follow the 1968 Vienna Convention on Road Signs;
the drawings are original.
"""
