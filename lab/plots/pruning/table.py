"""Results of pruning as a table and as JSON."""

from __future__ import annotations

from typing import Any

from lab.analysis.pruning import Lesson, Point
from lab.plots import formatting, words
from lab.plots.pruning.info import COSTS, NAMES


def pruning_rows(lesson: Lesson) -> list[dict[str, str]]:
    """Return the numbers of the plots, one row per model, and the failures with their reasons."""
    unpruned = [("float model", lesson.baseline), ("float model, fine-tuned", lesson.tuned)]
    rows = [_row(name, p, lesson) for name, p in unpruned if p]
    for (way, tuned), name in NAMES.items():
        rows += [_row(name, p, lesson) for p in lesson.line(way, tuned).points]
        rows += [_broken(name, *failure, lesson) for failure in lesson.line(way, tuned).failed]
    return rows


def _row(name: str, p: Point, lesson: Lesson) -> dict[str, str]:
    removed = f"{100 * p.removed:.1f} %" + ("" if p.counted else " (requested)")
    measured = [
        formatting.measurement(m) for m in (p.quality, *(p.measurements.get(m) for m in COSTS))
    ]
    return dict(zip(_columns(lesson), (name, p.name, removed, *measured, ""), strict=True))


def _broken(name: str, recipe: str, why: str, lesson: Lesson) -> dict[str, str]:
    return dict.fromkeys(_columns(lesson), "") | {"Pruned": name, "Recipe": recipe, "Remarks": why}


def _columns(lesson: Lesson) -> tuple[str, ...]:
    costs = (formatting.capital(name) for name in COSTS.values())
    return (
        "Pruned",
        "Recipe",
        "Pruned weights",
        formatting.capital(words.plain(lesson.metric)),
        *costs,
        "Remarks",
    )


def pruning_json(lesson: Lesson) -> dict[str, Any]:
    """Return all values as JSON: {"metric", "baseline", "fine_tuned", "lines": [{"way",
    "fine_tuned", "points", "failed"}]}.
    """
    lines = [
        {
            "way": x.way,
            "fine_tuned": x.tuned,
            "points": [_point_json(p) for p in x.points],
            "failed": [{"name": n, "message": why} for n, why in x.failed],
        }
        for x in lesson.lines
    ]
    return {
        "metric": lesson.metric,
        "baseline": lesson.baseline and _point_json(lesson.baseline),
        "fine_tuned": lesson.tuned and _point_json(lesson.tuned),
        "lines": lines,
    }


def _point_json(p: Point) -> dict[str, Any]:
    return {
        "trial": p.trial,
        "name": p.name,
        "removed": p.removed,
        "counted": p.counted,
        "ratio": p.asked,
        "measurements": {m: v.to_json() for m, v in p.measurements.items()},
    }
