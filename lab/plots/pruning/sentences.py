"""Effects of pruning in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lab.analysis.differences import LATENCY, difference, differs
from lab.analysis.pruning import Lesson, Point, Way, furthest
from lab.plots import formatting
from lab.plots.pruning.info import COSTS
from lab.types import Trial

DROP, NEARLY = 0.01, 0.03
WORK = {"size_bytes": "less to store", "latency_s": "less to compute"}
SAME_SIZE, SAME_TIME = "as large as before", "as fast as before"


def pruning_texts(lesson: Lesson, trials: Mapping[str, Trial]) -> tuple[str, ...]:
    """Describe the findings of the study, a sentence each: the reach of each way, the accuracy that
    fine-tuning recovers, the size of zeros.

    Args:
        trials: id -> trial, for comparisons item by item.
    """
    base = lesson.baseline
    if base is None or not any(line.points for line in lesson.lines):
        return ()
    return tuple(
        text
        for text in (
            _reach(lesson, base),
            _won_back(lesson, trials),
            _alone(lesson, trials),
            _zeros(lesson, base, trials),
            _channels(lesson, base, trials),
        )
        if text
    )


def _reach(lesson: Lesson, base: Point) -> str:
    parts = []
    ways: tuple[tuple[Literal["structured", "unstructured"], str], ...] = (
        ("structured", "whole channels"),
        ("unstructured", "single weights"),
    )
    for way, name in ways:
        lines = {tuned: lesson.line(way, tuned) for tuned in (False, True)}
        ends = {tuned: furthest(line, base.quality, DROP) for tuned, line in lines.items()}
        bare, tuned = (100 * p.removed if (p := ends[key]) else 0.0 for key in (False, True))
        parts.append(f"{bare:.0f} % as {name} ({tuned:.0f} % with fine-tuning)")
    return (
        f"With at most {100 * DROP:.0f} point of accuracy lost, pruning can remove this share of"
        f" the weights: {', '.join(parts)}."
    )


def _won_back(lesson: Lesson, trials: Mapping[str, Trial]) -> str:
    pairs = [
        (bare, tuned)
        for way in ("structured", "unstructured")
        for bare in lesson.line(way, False).points
        for tuned in lesson.line(way, True).points
        if tuned.asked == bare.asked
    ]
    if not pairs:
        return ""
    bare, tuned = max(pairs, key=lambda p: p[1].quality.value - p[0].quality.value)
    gain = tuned.quality.value - bare.quality.value
    if gain <= 0:
        return "Fine-tuning recovers no accuracy here."
    between = _between(lesson.metric, trials.get(tuned.trial), trials.get(bare.trial))
    return (
        f"Fine-tuning recovers most for {bare.name}: {100 * gain:.1f} points{between}, from"
        f" {100 * bare.quality.value:.1f} to {100 * tuned.quality.value:.1f} %."
    )


def _alone(lesson: Lesson, trials: Mapping[str, Trial]) -> str:
    """The effect of the training itself, where it is more than chance."""
    tuned, base = (trials.get(p.trial) if p else None for p in (lesson.tuned, lesson.baseline))
    d = difference(lesson.metric, tuned, base) if tuned and base else None
    if d is None or not d.differs:
        return ""
    effect = "harms" if d.value < 0 else "improves"
    why = (
        "; more steps or a smaller learning rate may help"
        if d.value < 0
        else ", so pruning had not caused all of the recovered loss"
    )
    return f"Fine-tuning alone {effect} the unpruned model by {100 * abs(d.value):.1f} points{why}."


def _between(metric: str, trial: Trial | None, other: Trial | None) -> str:
    d = difference(metric, trial, other) if trial and other else None
    return f" (95 % interval {100 * d.low:.1f} to {100 * d.high:.1f})" if d else ""


def _zeros(lesson: Lesson, base: Point, trials: Mapping[str, Trial]) -> str:
    """Zeros are stored like any number, where the numbers show it."""
    most = _most(lesson, "unstructured")
    if most is None:
        return ""
    changes = _changes(most, base, trials)
    stored = changes["size_bytes"] == SAME_SIZE
    why = ", because zeros are stored and multiplied like any number" if stored else ""
    download = (
        f"; the compressed download is {changes['download_bytes']}"
        if changes["download_bytes"]
        else ""
    )
    return (
        f"With {100 * most.removed:.0f} % of the weights at zero, the model"
        f" {_file_and_time(changes)}{why}{download}."
    )


def _channels(lesson: Lesson, base: Point, trials: Mapping[str, Trial]) -> str:
    most = _most(lesson, "structured")
    if most is None:
        return ""
    changes = _changes(most, base, trials)
    less = [
        work for metric, work in WORK.items() if changes[metric].endswith(("smaller", "faster"))
    ]
    why = f", because smaller tensors mean {' and '.join(less)}" if less else ""
    return (
        f"With {100 * most.removed:.0f} % of the weights pruned as whole channels, the model"
        f" {_file_and_time(changes)}{why}."
    )


def _most(lesson: Lesson, way: Way) -> Point | None:
    """The most pruned model, fine-tuned where there is such a one."""
    points = lesson.line(way, True).points or lesson.line(way, False).points
    return max(points, key=lambda p: p.removed, default=None)


def _file_and_time(changes: Mapping[str, str]) -> str:
    parts = [changes[metric] for metric in ("size_bytes", "latency_s") if changes[metric]]
    return f"is {' and '.join(parts)}" if parts else "has not been measured yet"


def _changes(p: Point, base: Point, trials: Mapping[str, Trial]) -> dict[str, str]:
    return {metric: _change(metric, p, base, trials) for metric in COSTS}


def _change(metric: str, p: Point, base: Point, trials: Mapping[str, Trial]) -> str:
    """ "as large as before", "3.1× smaller", "1.6× faster"; "" where it is not known yet."""
    mine, theirs = p.measurements.get(metric), base.measurements.get(metric)
    if mine is None or theirs is None or not mine.value:
        return ""
    ratio, seconds = theirs.value / mine.value, metric == LATENCY
    if abs(ratio - 1) < NEARLY or (
        seconds and not differs(metric, trials[p.trial], trials[base.trial])
    ):
        return SAME_TIME if seconds else SAME_SIZE
    word = (
        ("faster" if ratio > 1 else "slower") if seconds else "smaller" if ratio > 1 else "larger"
    )
    return f"{formatting.digits(max(ratio, 1 / ratio))}× {word}"
