"""Values that the plots of pruning show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.analysis.pruning import Lesson, Point, Way
from lab.plots import formatting, words
from lab.types import Measurement

NAMES: Mapping[tuple[Way, bool], str] = {
    ("structured", False): "whole channels",
    ("structured", True): "whole channels, fine-tuned",
    ("unstructured", False): "single weights",
    ("unstructured", True): "single weights, fine-tuned",
}
COSTS = {"size_bytes": "file", "download_bytes": "compressed download", "latency_s": "time"}


@dataclass(frozen=True)
class Curve:
    """Drawn values of one way to prune: shares and accuracies in percent.

    Attributes:
        points: (trial, removed, value, low, high), from the float model on; texts: the tooltip of
            each.
        costs: metric -> (removed, percent of the float model's).
    """

    name: str
    way: Way
    tuned: bool
    points: tuple[tuple[str, float, float, float, float], ...]
    texts: tuple[str, ...]
    costs: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class PruningInfo:
    """The plot; the baseline is (value, low, high) in percent, None before it is there."""

    curves: tuple[Curve, ...]
    baseline: tuple[float, float, float] | None
    noun: str


def pruning_info(lesson: Lesson) -> PruningInfo:
    """Lay out the four ways to prune; each begins at the unpruned model."""
    base = _percent(lesson.baseline.quality) if lesson.baseline else None
    curves = tuple(
        _curve(lesson, way, tuned) for way, tuned in NAMES if lesson.line(way, tuned).points
    )
    return PruningInfo(curves, base, formatting.capital(words.plain(lesson.metric)))


def _curve(lesson: Lesson, way: Way, tuned: bool) -> Curve:
    start = lesson.tuned if tuned else lesson.baseline
    points = [*([start] if start else []), *lesson.line(way, tuned).points]
    drawn = tuple((p.trial, 100 * p.removed, *_percent(p.quality)) for p in points)
    costs = {m: _relative(points, lesson.baseline, m) for m in COSTS}
    return Curve(
        NAMES[way, tuned], way, tuned, drawn, tuple(_text(p, lesson.metric) for p in points), costs
    )


def _percent(m: Measurement) -> tuple[float, float, float]:
    low, high = (m.value if end is None else end for end in (m.low, m.high))
    return 100 * m.value, 100 * low, 100 * high


def _relative(
    points: Sequence[Point], baseline: Point | None, metric: str
) -> tuple[tuple[float, float], ...]:
    reference = baseline.measurements.get(metric) if baseline else None
    if reference is None or not reference.value:
        return ()
    measured = [(p, p.measurements[metric].value) for p in points if metric in p.measurements]
    return tuple((100 * p.removed, 100 * value / reference.value) for p, value in measured)


def _text(p: Point, metric: str) -> str:
    costs = [
        f"{COSTS[m]} {formatting.value(p.measurements[m].value, p.measurements[m].unit)}"
        for m in COSTS
        if m in p.measurements
    ]
    head = (
        f"{p.name}<br>{100 * p.removed:.1f} % of the weights"
        f" pruned{'' if p.counted else ' (requested)'}"
    )
    return "<br>".join([head, f"{words.plain(metric)} {formatting.measurement(p.quality)}", *costs])
