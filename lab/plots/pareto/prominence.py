"""Prominence of a point by its part in the trade-off: the front stands out, the rest fades."""

from __future__ import annotations

from collections.abc import Mapping

from lab.plots.pareto.info import Point, Role

FAINT: Mapping[Role, float] = {"excluded": 0.12, "dominated": 0.3, "tied": 0.6, "front": 1.0}


def prominence(point: Point) -> int:
    """Place of a point in the order of drawing: 0 for excluded points, which lie below all."""
    return list(FAINT).index(point.role)
