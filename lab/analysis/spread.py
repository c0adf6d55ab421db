"""Spread of results over training seeds: trials that differ only in the seed of their training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from lab.types import Step, Trial, digest_of

SEED = "train_seed"


@dataclass(frozen=True)
class Range:
    """Values of one metric over seeds."""

    mean: float
    low: float
    high: float
    unit: str
    n: int


@dataclass(frozen=True)
class Spread:
    """One recipe on one target, trained several times.

    Attributes:
        name: of the trial with the lowest seed, which stands for all.
        trials: ids, in the order of `seeds`.
        ranges: metric -> its values over the seeds.
    """

    name: str
    trials: tuple[str, ...]
    seeds: tuple[int, ...]
    ranges: Mapping[str, Range]


def spread(trials: Iterable[Trial], metrics: Sequence[str]) -> tuple[Spread, ...]:
    """Return every recipe and target with complete trials of two or more seeds, in the order of the
    trials.
    """
    groups: dict[str, dict[tuple[int, ...], Trial]] = {}
    for trial in trials:
        if trial.state == "complete" and (seeds := _seeds(trial)):
            groups.setdefault(_key(trial), {}).setdefault(seeds, trial)
    return tuple(_of_group(group, metrics) for group in groups.values() if len(group) > 1)


def _seeds(trial: Trial) -> tuple[int, ...]:
    return tuple(int(step.params[SEED]) for step in trial.recipe.steps if SEED in step.params)


def _key(trial: Trial) -> str:
    """Return a key shared by trials that differ only in seeds."""
    steps = [
        Step(s.technique, {k: v for k, v in s.params.items() if k != SEED})
        for s in trial.recipe.steps
    ]
    return digest_of([[s.to_json() for s in steps], trial.target.to_json(), trial.environment])


def _of_group(group: Mapping[tuple[int, ...], Trial], metrics: Sequence[str]) -> Spread:
    ordered = [group[seeds] for seeds in sorted(group)]
    measured = [m for m in metrics if all(m in t.measurements for t in ordered)]
    return Spread(
        ordered[0].name,
        tuple(t.id for t in ordered),
        tuple(max(s) for s in sorted(group)),
        {m: _range(m, ordered) for m in measured},
    )


def _range(metric: str, trials: Sequence[Trial]) -> Range:
    values = [t.measurements[metric].value for t in trials]
    return Range(
        fmean(values), min(values), max(values), trials[0].measurements[metric].unit, len(values)
    )
