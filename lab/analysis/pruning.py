"""Cost of pruning: accuracy over the share of pruned weights, whole channels against single
weights, with and without fine-tuning.

A study that finds this out says so in its spec: `about = {"kind": "pruning", "structured",
"unstructured", "tune", "parameters"}`: the ids of the three techniques, and how many parameters the
model has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.types import Measurement, Recipe, Step, Trial

KIND = "pruning"
ROUNDING = 1e-9
Way = Literal["structured", "unstructured"]
WAYS: tuple[Way, ...] = ("structured", "unstructured")


@dataclass(frozen=True)
class Point:
    """One pruned model.

    Attributes:
        removed: share of the model's parameters that is gone, or is zero; 0 … 1.
        counted: True if the share was counted in the file; otherwise it is the requested one.
        asked: the option `ratio` of the technique that pruned.
        quality: of the task's own metric.
    """

    trial: str
    name: str
    removed: float
    counted: bool
    asked: float
    quality: Measurement
    measurements: Mapping[str, Measurement]


@dataclass(frozen=True)
class Line:
    """One way to prune, with or without fine-tuning, from the least to the most removed.

    Attributes:
        failed: (name, why) of what could not be made.
    """

    way: Way
    tuned: bool
    points: tuple[Point, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Lesson:
    """Results so far of a study about pruning.

    Attributes:
        metric: the task's own.
        baseline: the float model; tuned: the float model fine-tuned without any pruning. None
            before they are there.
    """

    metric: str
    lines: tuple[Line, ...]
    baseline: Point | None = None
    tuned: Point | None = None

    def line(self, way: Way, tuned: bool) -> Line:
        """Return the line of one way to prune."""
        return next((x for x in self.lines if (x.way, x.tuned) == (way, tuned)), Line(way, tuned))


def lesson(about: Mapping[str, Any], trials: Sequence[Trial], metric: str) -> Lesson:
    """Return the results so far of a study about pruning.

    Args:
        about: the `about` of the study's spec.
        trials: all trials of the study.
        metric: the accuracy that is drawn.
    """
    measured = [t for t in trials if metric in t.measurements]
    bare = {
        tuned: [t for t in measured if _kind(t, about) == (None, tuned)] for tuned in (False, True)
    }
    lines = tuple(
        _line(about, trials, metric, way, tuned) for way in WAYS for tuned in (False, True)
    )
    first = {
        tuned: _point(pruned[0], about, metric) if pruned else None
        for tuned, pruned in bare.items()
    }
    return Lesson(metric, lines, first[False], first[True])


def _line(
    about: Mapping[str, Any], trials: Iterable[Trial], metric: str, way: Way, tuned: bool
) -> Line:
    mine = [t for t in trials if _kind(t, about) == (way, tuned)]
    points = [_point(t, about, metric) for t in mine if metric in t.measurements]
    failed = tuple((t.name, str(t.error.get("message", ""))) for t in mine if t.error)
    return Line(way, tuned, tuple(sorted(points, key=lambda p: p.removed)), failed)


def _kind(trial: Trial, about: Mapping[str, Any]) -> tuple[Way | None, bool]:
    used = {step.technique for step in trial.recipe.steps}
    return next((way for way in WAYS if about[way] in used), None), about["tune"] in used


def _point(trial: Trial, about: Mapping[str, Any], metric: str) -> Point:
    way, _ = _kind(trial, about)
    asked = float(_pruning(trial.recipe, about[way]).params["ratio"]) if way else 0.0
    counted = removed(trial.details.notes or {}, way, int(about["parameters"])) if way else 0.0
    share = counted if counted is not None else _guess(way, asked)
    return Point(
        trial.id,
        trial.name,
        share,
        counted is not None,
        asked,
        trial.measurements[metric],
        trial.measurements,
    )


def _pruning(recipe: Recipe, technique: str) -> Step:
    return next(step for step in recipe.steps if step.technique == technique)


def removed(notes: Mapping[str, Any], way: Way | None, parameters: int) -> float | None:
    """Return the share of a model's parameters that pruning removed or set to zero, as counted by
    the technique; None without a count.

    Args:
        notes: of a trial: a technique that takes channels notes {"parameters": "9,802 → 3,100"},
            one that zeroes weights {"pruning": {"zeros": 5000}}.
        parameters: of the model as it came.
    """
    if way == "structured":
        match = re.match(r"([\d,]+) → ([\d,]+)", str(notes.get("parameters", "")))
        before, after = (int(g.replace(",", "")) for g in match.groups()) if match else (0, 0)
        return 1 - after / before if before else None
    pruning = notes.get("pruning")
    zeros = pruning.get("zeros") if isinstance(pruning, Mapping) else None
    return min(1.0, int(zeros) / parameters) if zeros is not None and parameters else None


def _guess(way: Way | None, asked: float) -> float:
    """Return the approximate share of weights for a ratio: weights between two layers fall with the
    square of the remaining channels.
    """
    return 1 - (1 - asked) ** 2 if way == "structured" else asked


def channels_for(share: float) -> float:
    """Return the share of channels to prune for this share of the weights; the inverse of the guess
    above.
    """
    return round(1 - math.sqrt(1 - share), 2)


def furthest(line: Line, baseline: Measurement, drop: float) -> Point | None:
    """Return the most pruned model of a line whose accuracy is at most `drop` below the float
    model; None without one.
    """
    near = [p for p in line.points if baseline.value - p.quality.value <= drop + ROUNDING]
    return max(near, key=lambda p: p.removed, default=None)
