"""Differences of several trials from a reference, metric by metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab import statistics
from lab.analysis.differences import LATENCY, Difference, difference
from lab.analysis.front import overlap
from lab.plugs import Metric
from lab.types import Trial

THROUGHPUT = "throughput_per_s"
SHARE, RATIOS = "1", ("s", "B", "1/s", "J")
"""Units whose differences are points, and units whose differences are ratios."""


@dataclass(frozen=True)
class Delta:
    """Difference of one metric of a trial from the reference.

    Attributes:
        kind: "change": value is trial minus reference; "ratio": trial over reference.
        low, high: 95 % interval, where the two were compared pair by pair; None where there is no
            such comparison.
        differs: True if the difference is more than chance; exact numbers differ unless they are
            equal.
        better: True if the trial's number is the better one; None for equal numbers.
    """

    trial: str
    metric: str
    kind: Literal["change", "ratio"]
    value: float
    low: float | None
    high: float | None
    differs: bool
    better: bool | None


def corrected(
    reference: Trial, others: Sequence[Trial], metrics: Sequence[str]
) -> Mapping[str, Mapping[str, Difference]]:
    """Return trial id -> metric -> difference from the reference, with p-values corrected for the
    number of trials.
    """
    by_trial: dict[str, dict[str, Difference]] = {t.id: {} for t in others}
    for metric in metrics:
        differences = {t.id: d for t in others if (d := difference(metric, t, reference))}
        for id_, adjusted in zip(
            differences, statistics.adjusted([d.p for d in differences.values()]), strict=True
        ):
            by_trial[id_][metric] = replace(differences[id_], adjusted=adjusted)
    return {t.id: _mirrored(by_trial[t.id], t, reference) for t in others}


def _mirrored(
    differences: Mapping[str, Difference], trial: Trial, reference: Trial
) -> Mapping[str, Difference]:
    """Add throughput, the inverse of latency for equal batches, with the same test result."""
    latency, batches = (
        differences.get(LATENCY),
        {t.target.options.get("batch", 1) for t in (trial, reference)},
    )
    if latency is None or len(batches) > 1:
        return differences
    inverse = replace(
        latency,
        metric=THROUGHPUT,
        value=1 / latency.value,
        low=1 / latency.high,
        high=1 / latency.low,
    )
    return {**differences, THROUGHPUT: inverse}


def deltas(
    reference: Trial, others: Sequence[Trial], metrics: Mapping[str, Metric]
) -> tuple[Delta, ...]:
    """Return the difference of every metric in points or as a ratio, metric by metric, with the
    trials in their order.

    Args:
        metrics: the metrics to compare, in their order; those that themselves compare with the
            float model are left out.
    """
    differences = corrected(reference, others, list(metrics))
    wanted = [
        id_ for id_, m in metrics.items() if not m.about_both and id_ in reference.measurements
    ]
    every = (
        _delta(metrics[id_], reference, t, differences[t.id].get(id_))
        for id_ in wanted
        for t in others
        if id_ in t.measurements
    )
    return tuple(delta for delta in every if delta)


def _delta(
    metric: Metric, reference: Trial, trial: Trial, tested: Difference | None
) -> Delta | None:
    a, b = reference.measurements[metric.id], trial.measurements[metric.id]
    kind: Literal["change", "ratio"] = "change" if b.unit == SHARE else "ratio"
    if kind == "ratio" and (b.unit not in RATIOS or a.value <= 0 or b.value <= 0):
        return None
    better = None if a.value == b.value else (b.value > a.value) == (metric.direction == "maximize")
    if tested:
        return Delta(
            trial.id,
            metric.id,
            tested.kind,
            tested.value,
            tested.low,
            tested.high,
            tested.differs,
            better,
        )
    exact = a.low is None or b.low is None
    differs = a.value != b.value and (exact or not overlap(a, b))
    value = b.value - a.value if kind == "change" else b.value / a.value
    return Delta(trial.id, metric.id, kind, value, None, None, differs, better)
