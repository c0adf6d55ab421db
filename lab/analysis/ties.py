"""Tie band of a front: dominated trials whose difference from the front may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.analysis.differences import differs
from lab.analysis.front import comparable, front_of
from lab.types import Objective, Trial

NEGLIGIBLE = 0.01
"""Exact numbers, such as sizes, count as equal within one percent: nobody decides by less."""


def ties(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Mapping[str, tuple[str, ...]]:
    """Return the trials off the front that no trial on it clearly beats.

    A trial clearly beats another where it is better in one objective by more than chance and worse
    in none. With a test of
    their pairs where there is one, with their intervals otherwise; see
    `lab.analysis.differences.differs`.

    Returns:
        id of a trial in the band -> ids of the trials on the front that are as good as it in every
        objective.
    """
    group = comparable(trials, objectives)
    front = front_of(group, objectives)
    on_front = {t.id for t in front}
    tied = {}
    for trial in group:
        if trial.id not in on_front:
            verdicts = _verdicts(trial, front, objectives)
            if verdicts is not None and (alike := [f for f, same in verdicts.items() if same]):
                tied[trial.id] = tuple(alike)
    return tied


def _verdicts(
    trial: Trial, front: Sequence[Trial], objectives: Sequence[Objective]
) -> Mapping[str, bool] | None:
    """Return front trial -> True if it ties in all objectives; None as soon as one clearly beats
    the trial.
    """
    verdicts = {}
    for best in front:
        signs = _signs(best, trial, objectives)
        if signs == {1} or signs == {0, 1}:
            return None
        verdicts[best.id] = signs == {0}
    return verdicts


def _signs(best: Trial, trial: Trial, objectives: Sequence[Objective]) -> set[int]:
    """Return the set of signs over all objectives: 1 if the first is clearly better, -1 if clearly
    worse, 0 for a tie. It stops at the first -1, cheap comparisons first.
    """
    signs = set[int]()
    for objective in sorted(objectives, key=lambda o: trial.measurements[o.metric].low is not None):
        sign = compare(best, trial, objective)
        signs.add(sign)
        if sign < 0:
            break
    return signs


def compare(first: Trial, second: Trial, objective: Objective) -> int:
    """Return 1 if the first is clearly better in an objective, -1 if clearly worse, 0 if the
    difference may be chance.
    """
    a, b = (t.measurements[objective.metric] for t in (first, second))
    if a.value == b.value:
        return 0
    if a.low is None or b.low is None:
        different = abs(a.value - b.value) > NEGLIGIBLE * max(abs(a.value), abs(b.value))
    else:
        different = differs(objective.metric, first, second)
    better = (a.value > b.value) == (objective.direction == "maximize")
    return 0 if not different else 1 if better else -1
