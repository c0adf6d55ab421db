"""Non-dominated points, and the front of a study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lab.lazy import np
from lab.types import Measurement, Objective, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 100
"""Number of trials up to which plain Python is faster than the import of numpy."""

BLOCK = 128
"""Points compared at once: large enough that numpy's overhead is small, small enough to stay in the
cache.
"""


def non_dominated(points: NDArray[Any], directions: Sequence[str]) -> NDArray[np.bool_]:
    """Return the mask of the points that no other point dominates.

    A point is dominated where another is at least as good in every column and better in one. Equal
    points do not dominate each other, so all copies of a non-dominated point are kept.

    Args:
        points: shape (n, m), one row a point; a row with NaN is never kept and dominates nothing.
        directions: "minimize" or "maximize" for each of the m columns.

    Returns:
        bool array, shape (n,).
    """
    signs = np.array([_SIGNS[direction] for direction in directions])
    costs = np.asarray(points, dtype=float).reshape(-1, len(signs)) * signs
    complete = ~np.isnan(costs).any(axis=1)
    mask = np.zeros(len(costs), dtype=bool)
    if complete.any() and len(signs):
        unique, back = np.unique(costs[complete], axis=0, return_inverse=True)
        mask[complete] = _front_of_sorted(unique)[back.reshape(-1)]
    return mask


_SIGNS = {"minimize": 1.0, "maximize": -1.0}


def _front_of_sorted(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the mask of distinct, lexicographically sorted rows: only an earlier row can dominate
    a later one.
    """
    kept = np.zeros(len(costs), dtype=bool)
    front = costs[:0]
    for start in range(0, len(costs), BLOCK):
        block = costs[start : start + BLOCK]
        alive = ~_dominated(block, front)
        alive &= ~_dominated(block, block[alive])
        kept[start : start + BLOCK] = alive
        front = np.concatenate([front, block[alive]])
    return kept


def _dominated(rows: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the mask of the rows that a different row of `by` matches or beats in every column."""
    no_worse = np.ones((len(rows), len(by)), dtype=bool)
    equal = np.ones((len(rows), len(by)), dtype=bool)
    for column in range(rows.shape[1]):
        no_worse &= by[None, :, column] <= rows[:, None, column]
        equal &= by[None, :, column] == rows[:, None, column]
    return np.asarray((no_worse & ~equal).any(axis=1))


def comparable(trials: Iterable[Trial], objectives: Sequence[Objective]) -> tuple[Trial, ...]:
    """Return the trials that may be compared with each other.

    They are complete, have every objective, and agree in the environment and in how each objective
    came about (measured, emulated, estimated). Of several such groups the one with most trials is
    taken, the one that came last where two are equally large: a study that moved to another machine
    is judged by the machine that did most of it.
    """
    groups: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        if trial.state == "complete" and all(o.metric in trial.measurements for o in objectives):
            groups.setdefault(_group(trial, objectives), []).append(trial)
    largest = max(groups.values(), key=lambda g: (len(g), g[-1].position), default=[])
    return tuple(largest)


def _group(trial: Trial, objectives: Sequence[Objective]) -> tuple[object, ...]:
    return (trial.environment, *[trial.measurements[o.metric].source for o in objectives])


def front_of(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[Trial, ...]:
    """Return the non-dominated trials among comparable ones, in their order."""
    points = [[t.measurements[o.metric].value for o in objectives] for t in trials]
    directions = [o.direction for o in objectives]
    mask = (
        _few(points, directions)
        if len(points) <= FEW
        else non_dominated(np.array(points), directions)
    )
    return tuple(trial for trial, on_front in zip(trials, mask, strict=True) if on_front)


def _few(points: Sequence[Sequence[float]], directions: Sequence[str]) -> list[bool]:
    """Return the mask of `non_dominated` by definition rather than by blocks."""
    costs = [
        tuple(_SIGNS[d] * value for d, value in zip(directions, point, strict=True))
        for point in points
    ]
    return [
        not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in costs)
        for a in costs
    ]


def front(trials: Iterable[Trial], objectives: Sequence[Objective]) -> tuple[str, ...]:
    """Return the ids of a study's non-dominated trials, in the order of the trials; `comparable`
    says which are considered.
    """
    return tuple(trial.id for trial in front_of(comparable(trials, objectives), objectives))


def baseline_of(trial: Trial, trials: Iterable[Trial]) -> Trial | None:
    """Return the float baseline on the trial's target and in its environment; None without one.
    Only against this baseline may a difference be claimed.
    """
    return next((t for t in trials if _is_baseline_of(t, trial)), None)


def _is_baseline_of(baseline: Trial, trial: Trial) -> bool:
    return (
        baseline.is_baseline
        and baseline.state == "complete"
        and baseline.target == trial.target
        and baseline.environment == trial.environment
    )


def nearest_baseline(trial: Trial, trials: Iterable[Trial]) -> Trial | None:
    """Return the float baseline on the trial's target, or one on its runtime, or any; None without
    one yet. It is the reference for limits on accuracy, and the first trial to compare with.
    """
    baselines = [t for t in trials if t.is_baseline and t.state == "complete"]
    same_target = (t for t in baselines if t.target == trial.target)
    same_runtime = (t for t in baselines if t.target.runtime == trial.target.runtime)
    return next(same_target, None) or next(same_runtime, None) or next(iter(baselines), None)


def overlap(a: Measurement, b: Measurement) -> bool:
    """Return True if the 95 % intervals of two measurements overlap; an exact number is its own
    interval.
    """
    low_a, high_a = _interval(a)
    low_b, high_b = _interval(b)
    return bool(low_a <= high_b and low_b <= high_a)


def _interval(m: Measurement) -> tuple[float, float]:
    return (m.value if m.low is None else m.low, m.value if m.high is None else m.high)
