"""Hypervolume that the trials of a study dominate, and its growth trial by trial.

Every objective becomes a *gain* over a reference point, which is what the float model gives at its
worst:

- what is to be small (bytes, seconds) in halvings, log2(reference / value), from the worst float
  baseline, so that 200 kB to 100 kB
  counts as much as 20 kB to 10 kB;
- a quality that is a share (accuracy, AUC) in tenths above the best float baseline less `LOST` (ten
  points): what loses more counts
  for nothing. Another quality counts doublings above the worst float baseline.

The hypervolume is the volume of the union of the boxes between the reference and each trial's
gains; it is computed exactly. A trial that is not better than the reference in every objective, or
breaks a limit, adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from typing import TYPE_CHECKING, Any

from lab.analysis.front import comparable, nearest_baseline, non_dominated
from lab.analysis.pick import Limit, meets
from lab.lazy import np
from lab.types import FINISHED, Objective, Trial

LOST = 0.10
"""Distance below the float model at which a share stops counting."""
SHARE = "1"

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


def hypervolume(gains: Points) -> float:
    """Return the volume of the union of the boxes between the origin and each point, exact for any
    number of objectives.

    Sliced along the last objective (HSO: While et al., IEEE Trans. Evol. Comput. 10(1), 2006), the
    last two in one pass: n² log n for three objectives.

    Args:
        gains: (n, m), more is better; points with a gain of 0 or less in any objective have no box.
    """
    inside = np.asarray(gains, dtype=np.float64)
    inside = inside[(inside > 0).all(axis=1)]
    if not len(inside):
        return 0.0
    return _volume(inside[non_dominated(inside, ["maximize"] * inside.shape[1])])


def _volume(points: Points) -> float:
    if points.shape[1] == 1:
        return float(points.max())
    if points.shape[1] == 2:
        ordered = points[np.argsort(-points[:, 0])]
        return float(-np.diff(ordered[:, 0], append=0.0) @ np.maximum.accumulate(ordered[:, 1]))
    ordered = points[np.argsort(-points[:, -1])]
    heights = -np.diff(ordered[:, -1], append=0.0)
    return sum(float(h) * _volume(ordered[: n + 1, :-1]) for n, h in enumerate(heights) if h > 0)


def free_boxes(front: Points) -> tuple[Points, Points]:
    """Return disjoint boxes that fill the positive quadrant outside the boxes between the origin
    and the points.

    Args:
        front: (n, m) gains.

    Returns:
        lower and upper corners, (boxes, m); upper ones may be infinite.
    """
    lowest = np.maximum(front, 0.0)
    if front.shape[1] == 1:
        return np.array([[lowest.max(initial=0.0)]]), np.array([[np.inf]])
    levels = np.unique(np.concatenate([[0.0], lowest[:, -1], [np.inf]]))
    lower, upper = list[Any](), list[Any]()
    for bottom, top in pairwise(levels):
        below, above = free_boxes(lowest[lowest[:, -1] >= top][:, :-1])
        lower.append(np.column_stack([below, np.full(len(below), bottom)]))
        upper.append(np.column_stack([above, np.full(len(above), top)]))
    return np.concatenate(lower), np.concatenate(upper)


# --- gains of trials ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Scale that turns an objective into a gain.

    Attributes:
        reference: the value whose gain is 0, in the metric's own unit.
        tenths: True for tenths of a share, False for halvings (or doublings, where more is better).
    """

    metric: str
    maximize: bool
    reference: float
    tenths: bool

    def gain(self, value: float) -> float:
        """Return the gain over the reference; negative for a worse value."""
        if self.tenths:
            return (value - self.reference) * (1 if self.maximize else -1) / LOST
        smallest = 1e-9 * abs(self.reference) or 1e-30  # zero has no logarithm
        ratio = max(value, smallest) / max(self.reference, smallest)
        return log2(ratio) * (1 if self.maximize else -1)


def scales(trials: Iterable[Trial], objectives: Sequence[Objective]) -> tuple[Scale, ...] | None:
    """Return the reference point of the finished float baselines; None without any."""
    floats = [t for t in comparable(trials, objectives) if t.is_baseline]
    return tuple(_scale(o, floats) for o in objectives) if floats else None


def _scale(objective: Objective, floats: Sequence[Trial]) -> Scale:
    measurements = [t.measurements[objective.metric] for t in floats]
    values, maximize = [m.value for m in measurements], objective.direction == "maximize"
    if measurements[0].unit != SHARE:
        return Scale(objective.metric, maximize, min(values) if maximize else max(values), False)
    return Scale(
        objective.metric, maximize, max(values) - LOST if maximize else min(values) + LOST, True
    )


def gains_of(trial: Trial, by: Sequence[Scale]) -> tuple[float, ...] | None:
    """Return a trial's gains; None if one of its metrics is missing."""
    if trial.state != "complete" or any(s.metric not in trial.measurements for s in by):
        return None
    return tuple(s.gain(trial.measurements[s.metric].value) for s in by)


# --- how it grew ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """State of the search at the end of a trial.

    Attributes:
        tried: trials that were run up to then, those that the store knew left out.
        seconds: for which jobs of the study had been running; None where that was not recorded.
        share: of the hypervolume of all trials.
    """

    trial: str
    tried: int
    seconds: float | None
    share: float


@dataclass(frozen=True)
class Course:
    """Growth of a study's hypervolume; the first `known` of the `points` are trials from the
    store.
    """

    points: tuple[Found, ...]
    known: int
    volume: float
    scales: tuple[Scale, ...]


@dataclass(frozen=True)
class Spent:
    """Budget that a search has used.

    Attributes:
        trials, minutes: used; of_trials, of_minutes: what there is, 0 minutes for no limit.
        known: trials that the store knew, which cost nothing.
    """

    trials: int
    of_trials: int
    minutes: float
    of_minutes: float
    known: int


def course(
    trials: Sequence[Trial],
    objectives: Sequence[Objective],
    limits: Sequence[Limit] = (),
    jobs: Sequence[Mapping[str, Any]] = (),
) -> Course | None:
    """Follow a study trial by trial; None before its float model is measured.

    Args:
        jobs: of the study, with "started_at" and "finished_at", for the time axis.
    """
    by = scales(trials, objectives)
    if by is None:
        return None
    ended = sorted((t for t in trials if t.state in FINISHED), key=_order)
    volumes = growth([_counted(t, trials, by, limits) for t in ended])
    whole, known = (volumes[-1] if volumes else 0.0), sum(t.cached for t in ended)
    clock, points = Clock(jobs), list[Found]()
    for n, (trial, volume) in enumerate(zip(ended, volumes, strict=True)):
        share = volume / whole if whole else 0.0
        points.append(
            Found(trial.id, max(0, n + 1 - known), 0.0 if trial.cached else clock.at(trial), share)
        )
    return Course(tuple(points), known, whole, by)


def _order(trial: Trial) -> tuple[bool, float, int]:
    return (not trial.cached, trial.details.ended_at or 0.0, trial.position)


def _counted(
    trial: Trial, trials: Sequence[Trial], by: Sequence[Scale], limits: Sequence[Limit]
) -> tuple[float, ...]:
    """Return a trial's gains, or zeros if it does not count."""
    gains = gains_of(trial, by)
    allowed = gains is not None and (
        not limits or all(meets(limit, trial, nearest_baseline(trial, trials)) for limit in limits)
    )
    return gains if gains is not None and allowed else (0.0,) * len(by)


def growth(gains: Sequence[Sequence[float]]) -> list[float]:
    """Return the hypervolume after each point; it is computed only for points that no earlier one
    dominates.
    """
    front, volumes = list[Sequence[float]](), list[float]()
    for point in gains:
        new = min(point, default=0.0) > 0 and not any(_covers(other, point) for other in front)
        if new:
            front = [*(other for other in front if not _covers(point, other)), point]
        volumes.append(hypervolume(np.array(front)) if new else (volumes or [0.0])[-1])
    return volumes


def _covers(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True))


class Clock:
    """Seconds during which any job of a study ran, without waiting and interruptions."""

    def __init__(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        self.spans = list[tuple[float, float]]()
        for start, finish in sorted((j["started_at"], j["finished_at"]) for j in jobs):
            if self.spans and start <= self.spans[-1][1]:
                start, finish = self.spans[-1][0], max(finish, self.spans.pop()[1])
            self.spans.append((start, finish))

    def until(self, moment: float) -> float:
        """Return the seconds of work before a moment (seconds since 1970)."""
        return sum(min(finish, moment) - start for start, finish in self.spans if start < moment)

    def at(self, trial: Trial) -> float | None:
        """Return the seconds of work at the end of a trial."""
        ended = trial.details.ended_at
        return None if ended is None or not self.spans else self.until(float(ended))
