"""Compromises between objectives: the distance of each trial on a front from the best of all
objectives.

Each objective is laid from 0 (the best on the front) to 1 (the worst on it); what is a ratio scale
(seconds, bytes) by its logarithm, as in the plot. The cost of a trial is the weighted mean. With
equal weights the lowest cost is the *knee* of the front: the point farthest from the plane through
the front's extremes, towards the best of everything (I. Das, On characterizing the "knee" of the
Pareto curve, Structural Optimization 18, 1999, in the normalised coordinates of his NBI method).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.types import Measurement, Objective, Trial

RATIO_UNITS = ("s", "B")


@dataclass(frozen=True)
class Cost:
    """0 is the best of everything, 1 the worst; `spread` is the half-width of its 95 % interval,
    from those of the objectives.
    """

    value: float
    spread: float


def costs(
    front: Sequence[Trial], objectives: Sequence[Objective], weights: Mapping[str, float]
) -> list[Cost]:
    """Return the cost of each trial of a front.

    Args:
        front: trials that have every objective.
        weights: objective's metric -> weight, 0 or more; what is not named has none. All 0 means
            all alike.
    """
    amounts = [max(0.0, weights.get(o.metric, 0.0)) for o in objectives]
    shares = [w / total if (total := sum(amounts)) else 1 / len(amounts) for w in amounts]
    columns = [_column(front, o) for o in objectives]
    return [
        Cost(
            sum(w * c.value for w, c in zip(shares, row, strict=True)),
            math.hypot(*(w * c.spread for w, c in zip(shares, row, strict=True))),
        )
        for row in zip(*columns, strict=True)
    ]


def _column(front: Sequence[Trial], objective: Objective) -> list[Cost]:
    """Scale one objective of every trial to 0 … 1."""
    measurements = [t.measurements[objective.metric] for t in front]
    log = measurements[0].unit in RATIO_UNITS and all(m.value > 0 for m in measurements)
    places = [_place(m, m.value, log) for m in measurements]
    best, worst = (
        (max(places), min(places))
        if objective.direction == "maximize"
        else (min(places), max(places))
    )
    span = worst - best or 1.0
    return [
        Cost((p - best) / span, _half_width(m, log) / abs(span))
        for p, m in zip(places, measurements, strict=True)
    ]


def _place(m: Measurement, value: float, log: bool) -> float:
    return math.log(value if value > 0 else m.value) if log else value


def _half_width(m: Measurement, log: bool) -> float:
    if m.low is None or m.high is None:
        return 0.0
    return (_place(m, m.high, log) - _place(m, m.low, log)) / 2
