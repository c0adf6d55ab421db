"""Choice of the trial to ship: limits -> trials within them -> their front -> one trial.

The result is numbers and ids; `lab.plots.words` puts it into a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.analysis.compromise import costs
from lab.analysis.front import comparable, front_of, nearest_baseline
from lab.analysis.ties import compare
from lab.types import Objective, Trial

TOLERANCE = 0.01
"""Distance (absolute, in the quality metric) that a pick may be below its baseline if no limit on
quality is set.
"""

LimitKind = Literal["at_most", "at_least", "max_drop"]


@dataclass(frozen=True)
class Limit:
    """A condition on one metric.

    Attributes:
        kind: "at_most" and "at_least" bound the metric itself; "max_drop" bounds how far it is
            below its baseline.
        value: in the metric's own unit.
    """

    metric: str
    kind: LimitKind
    value: float


@dataclass(frozen=True)
class Relaxation:
    """A looser value of one limit that would let a trial in."""

    limit: Limit
    value: float
    trial: str


Rule = Literal["best", "best_within_tolerance", "highest_quality", "knee", "weighted", "none"]


@dataclass(frozen=True)
class Pick:
    """The chosen trial and the values behind the choice.

    Attributes:
        trial: id of the pick, None where nothing meets the limits.
        goal: the objective that decided.
        rule: "best": by the goal among what meets the limits; "best_within_tolerance": also at most
            TOLERANCE below its baseline; "highest_quality": nothing is within TOLERANCE, so quality
            decided; "knee", "weighted": the lowest cost of `lab.analysis.compromise`, with equal or
            other weights.
        baseline: id of the float baseline that the pick is compared with.
        considered: number of comparable trials.
        feasible: ids of those that meet all limits; front: ids of the non-dominated ones among
            them.
        ties: ids on the front that differ from the pick in what decided by no more than chance.
        relaxations: where nothing is feasible, the limits that would help if loosened alone.
    """

    trial: str | None
    goal: Objective
    rule: Rule
    baseline: str | None = None
    considered: int = 0
    feasible: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()


def amount(limit: Limit, trial: Trial, baseline: Trial | None) -> float | None:
    """Return the number that the limit bounds; None if the trial or its baseline has none."""
    own = trial.measurements.get(limit.metric)
    if own is None or limit.kind != "max_drop":
        return None if own is None else own.value
    reference = baseline.measurements.get(limit.metric) if baseline else None
    return None if reference is None else reference.value - own.value


def meets(limit: Limit, trial: Trial, baseline: Trial | None) -> bool:
    """Return True if the trial is within the limit; a missing measurement is not."""
    bounded = amount(limit, trial, baseline)
    if bounded is None:
        return False
    return bounded >= limit.value if limit.kind == "at_least" else bounded <= limit.value + 1e-12


def quality_of(objectives: Sequence[Objective]) -> Objective | None:
    """Return the first objective to maximize: the quality that compression costs."""
    return next((o for o in objectives if o.direction == "maximize"), None)


def pick(
    trials: Sequence[Trial],
    objectives: Sequence[Objective],
    limits: Sequence[Limit] = (),
    goal: Objective | None = None,
    weights: Mapping[str, float] | None = None,
) -> Pick:
    """Choose the trial to ship.

    Args:
        goal: what decides among those that meet the limits, the other objectives where that is
            equal; without it the first objective to be minimized.
        weights: objective's metric -> weight: a compromise decides instead of a goal; equal weights
            find the knee.
    """
    goal = goal or next((o for o in objectives if o.direction == "minimize"), objectives[0])
    group = comparable(trials, objectives)
    floats = [t for t in group if t.is_baseline]
    baselines = {t.id: nearest_baseline(t, floats) for t in group}
    feasible = tuple(t for t in group if all(meets(limit, t, baselines[t.id]) for limit in limits))
    if not feasible:
        return Pick(
            None,
            goal,
            "none",
            considered=len(group),
            relaxations=_relaxations(group, baselines, limits),
        )
    front = front_of(feasible, objectives)
    if weights is not None:
        rule, best, ties = _compromise(front, objectives, weights)
    else:
        rule, best, ties = _lexicographic(front, baselines, objectives, limits, goal)
    baseline = baselines[best.id]
    return Pick(
        best.id,
        goal,
        rule,
        baseline.id if baseline else None,
        len(group),
        tuple(t.id for t in feasible),
        tuple(t.id for t in front),
        ties,
    )


def _compromise(
    front: Sequence[Trial], objectives: Sequence[Objective], weights: Mapping[str, float]
) -> tuple[Rule, Trial, tuple[str, ...]]:
    cost = costs(front, objectives, weights)
    at = min(range(len(front)), key=lambda i: (cost[i].value, front[i].position))
    ties = [
        i
        for i in range(len(front))
        if i != at and cost[i].value - cost[at].value <= math.hypot(cost[i].spread, cost[at].spread)
    ]
    rule: Rule = (
        "knee" if len({weights.get(o.metric, 0.0) for o in objectives}) == 1 else "weighted"
    )
    return rule, front[at], tuple(front[i].id for i in ties)


def _lexicographic(
    front: Sequence[Trial],
    baselines: dict[str, Trial | None],
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    goal: Objective,
) -> tuple[Rule, Trial, tuple[str, ...]]:
    rule, candidates = _candidates(front, baselines, objectives, limits, goal)
    decider = goal if rule != "highest_quality" else quality_of(objectives) or goal
    best = min(candidates, key=lambda t: _rank(t, decider, objectives))
    return rule, best, _ties(best, candidates, decider)


def _candidates(
    front: Sequence[Trial],
    baselines: dict[str, Trial | None],
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    goal: Objective,
) -> tuple[Rule, Sequence[Trial]]:
    quality = quality_of(objectives)
    if (
        quality is None
        or quality == goal
        or any(limit.metric == quality.metric for limit in limits)
    ):
        return "best", front
    tolerance = Limit(quality.metric, "max_drop", TOLERANCE)
    close = [t for t in front if meets(tolerance, t, baselines[t.id])]
    return ("best_within_tolerance", close) if close else ("highest_quality", front)


def _rank(trial: Trial, decider: Objective, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Sort key with the best first: by the deciding objective, then by the others in their order,
    then by age.
    """
    order = [decider, *(o for o in objectives if o != decider)]
    signed = [
        (-1 if o.direction == "maximize" else 1, trial.measurements.get(o.metric)) for o in order
    ]
    return (*(sign * m.value if m else float("inf") for sign, m in signed), trial.position)


def _ties(best: Trial, candidates: Sequence[Trial], decider: Objective) -> tuple[str, ...]:
    if decider.metric not in best.measurements:
        return ()
    others = [t for t in candidates if t.id != best.id and decider.metric in t.measurements]
    return tuple(t.id for t in others if compare(best, t, decider) == 0)


def _relaxations(
    group: Sequence[Trial], baselines: dict[str, Trial | None], limits: Sequence[Limit]
) -> tuple[Relaxation, ...]:
    relaxed = (
        _relaxation(limit, group, baselines, [x for x in limits if x is not limit])
        for limit in limits
    )
    return tuple(relaxation for relaxation in relaxed if relaxation)


def _relaxation(
    limit: Limit,
    group: Sequence[Trial],
    baselines: dict[str, Trial | None],
    others: Sequence[Limit],
) -> Relaxation | None:
    """Return the least loosening of a limit that lets in a trial within all other limits."""
    rest = [t for t in group if all(meets(o, t, baselines[t.id]) for o in others)]
    amounts = [
        (value, t.id) for t in rest if (value := amount(limit, t, baselines[t.id])) is not None
    ]
    if not amounts:
        return None
    value, id_ = max(amounts) if limit.kind == "at_least" else min(amounts)
    return Relaxation(limit, value, id_)


def stops(values: Iterable[float], most: int = 40) -> list[float]:
    """Return the stops of a slider: all distinct values, thinned evenly to `most`, with both
    ends.
    """
    distinct = sorted(set(values))
    if len(distinct) <= most:
        return distinct
    return [distinct[round(i * (len(distinct) - 1) / (most - 1))] for i in range(most)]
