"""Effects of calibration: variants that differ only in their calibration items, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from lab.types import Measurement, Recipe, Step, Target, Trial, digest_of

SAMPLES, SEED, SOURCE = "calibration_samples", "calibration_seed", "calibration_source"
OPTIONS = (SAMPLES, SEED, SOURCE)


@dataclass(frozen=True)
class Point:
    """One calibration: number, seed and source of its items, and the measured result."""

    trial: str
    samples: int
    seed: int
    source: str
    measurement: Measurement


@dataclass(frozen=True)
class Calibrations:
    """All calibrations of one recipe on one target.

    Attributes:
        name: of the trial with the usual calibration, or of the first.
        points: in the order of samples, source, seed.
    """

    name: str
    target: Target
    points: tuple[Point, ...]

    def over_seeds(self) -> tuple[Spread, ...]:
        """Return the spread over seeds for each number of items and source with at least two
        seeds.
        """
        groups: dict[tuple[int, str], list[Point]] = {}
        for point in self.points:
            groups.setdefault((point.samples, point.source), []).append(point)
        return tuple(_spread(group) for group in groups.values() if len(group) > 1)


@dataclass(frozen=True)
class Spread:
    """One calibration with different items: lowest, mean and highest value over the seeds."""

    samples: int
    source: str
    seeds: int
    low: float
    mean: float
    high: float
    trials: tuple[str, ...]


def _spread(points: Sequence[Point]) -> Spread:
    values = [p.measurement.value for p in points]
    first = points[0]
    return Spread(
        first.samples,
        first.source,
        len(points),
        min(values),
        fmean(values),
        max(values),
        tuple(p.trial for p in points),
    )


def calibrations(trials: Iterable[Trial], metric: str) -> tuple[Calibrations, ...]:
    """Return the recipes with more than one calibration, those with the most calibrations first.

    Args:
        metric: the metric to compare, such as "top1_accuracy".
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if metric in trial.measurements and _calibrated(trial.recipe):
            groups.setdefault(_key(trial), []).append(trial)
    several = [
        _of_group(group, metric) for group in groups.values() if len({_way(t) for t in group}) > 1
    ]
    return tuple(sorted(several, key=lambda c: len(c.points), reverse=True))


def _calibrated(recipe: Recipe) -> Mapping[str, object] | None:
    return next((s.params for s in recipe.steps if set(OPTIONS) <= set(s.params)), None)


def _way(trial: Trial) -> tuple[int, str, int]:
    params = _calibrated(trial.recipe) or {}
    return int(str(params[SAMPLES])), str(params[SOURCE]), int(str(params[SEED]))


def _key(trial: Trial) -> str:
    """Return a key shared by trials that differ only in calibration; threads and batches change no
    prediction.
    """
    steps = [
        Step(s.technique, {k: v for k, v in s.params.items() if k not in OPTIONS})
        for s in trial.recipe.steps
    ]
    options = {k: v for k, v in trial.target.options.items() if k not in ("threads", "batch")}
    return digest_of(
        [[s.to_json() for s in steps], trial.target.runtime, options, trial.environment]
    )


def _of_group(group: Sequence[Trial], metric: str) -> Calibrations:
    unique = {_way(t): t for t in reversed(group)}
    points = [
        Point(t.id, samples, seed, source, t.measurements[metric])
        for (samples, source, seed), t in unique.items()
    ]
    points.sort(key=lambda p: (p.samples, p.source, p.seed))
    first = min(group, key=lambda t: len(t.name))
    return Calibrations(first.name, first.target, tuple(points))
