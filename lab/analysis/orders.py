"""Effect of the order of steps: trials with the same steps on the same target in a different
order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from lab import statistics
from lab.analysis.differences import Difference, difference
from lab.types import Recipe, Step, Trial, canonical_json, digest_of


@dataclass(frozen=True)
class OrderPair:
    """Two orders of the same steps.

    Attributes:
        first, second: trials.
        differences: metric -> second against first, of what tells more than two intervals do;
            p-values are corrected for how many pairs of orders there are.
    """

    first: Trial
    second: Trial
    differences: Mapping[str, Difference]


def orders(
    trials: Iterable[Trial], metrics: Sequence[str], conversions: Collection[str]
) -> tuple[OrderPair, ...]:
    """Return all pairs of complete trials on one target and machine whose recipes have the same
    steps in a different order.

    Args:
        metrics: the metrics to compare, such as the study's objectives.
        conversions: ids of techniques that change no number; where they are inserted is no
            difference.
    """
    groups: dict[str, dict[str, Trial]] = {}
    for trial in trials:
        steps = _steps(trial.recipe, conversions)
        if trial.state == "complete" and len(set(steps)) > 1:
            same = digest_of([sorted(steps), trial.target.to_json(), trial.environment])
            groups.setdefault(same, {}).setdefault(canonical_json(steps), trial)
    pairs = [pair for ways in groups.values() for pair in combinations(ways.values(), 2)]
    return _compared(pairs, metrics)


def _steps(recipe: Recipe, conversions: Collection[str]) -> list[str]:
    return [
        canonical_json(step.to_json()) for step in recipe.steps if step.technique not in conversions
    ]


def _compared(
    pairs: Sequence[tuple[Trial, Trial]], metrics: Sequence[str]
) -> tuple[OrderPair, ...]:
    by_pair: list[dict[str, Difference]] = [{} for _ in pairs]
    for metric in metrics:
        differences_of = {
            n: d for n, (a, b) in enumerate(pairs) if (d := difference(metric, b, a)) is not None
        }
        for n, adjusted in zip(
            differences_of, statistics.adjusted([d.p for d in differences_of.values()]), strict=True
        ):
            by_pair[n][metric] = replace(differences_of[n], adjusted=adjusted)
    return tuple(
        OrderPair(a, b, differences) for (a, b), differences in zip(pairs, by_pair, strict=True)
    )


def other_orders(steps: Sequence[Step], movable: Mapping[str, str]) -> tuple[Recipe, ...]:
    """Return the recipes with two neighbouring steps exchanged, without conversions: the planner
    inserts them again.

    Args:
        steps: of a recipe, without its conversions.
        movable: technique -> format, of those that make a file of the format that they take: two of
            one format can change places.
    """
    swaps = [n for n in range(len(steps) - 1) if _may_swap(steps[n], steps[n + 1], movable)]
    return tuple(Recipe((*steps[:n], steps[n + 1], steps[n], *steps[n + 2 :])) for n in swaps)


def _may_swap(first: Step, second: Step, movable: Mapping[str, str]) -> bool:
    formats = {movable.get(step.technique, "") for step in (first, second)}
    return first != second and len(formats) == 1 and "" not in formats
