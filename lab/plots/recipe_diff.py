"""Differences between recipes as a table, one row per difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.analysis.recipe_diff import ABSENT, DiffRow, RecipeDiff
from lab.plots import formatting
from lab.plugs import Runtime, Technique
from lab.types import Step

NONE = formatting.UNKNOWN


def recipe_diff_rows(
    diff: RecipeDiff,
    names: Sequence[str],
    techniques: Mapping[str, Technique],
    runtimes: Mapping[str, Runtime],
) -> list[dict[str, str]]:
    """Return one row per difference, with one column per trial.

    Args:
        names: of the trials, all different.
    """
    return [
        {
            "Setting": _what(row, techniques, runtimes),
            **{
                n: _said(row, v, techniques, runtimes)
                for n, v in zip(names, row.values, strict=True)
            },
        }
        for row in diff.rows
    ]


def _what(
    row: DiffRow, techniques: Mapping[str, Technique], runtimes: Mapping[str, Runtime]
) -> str:
    if row.step is None:
        return (
            "Runs on"
            if row.option == "runtime"
            else f"Runtime option: {_target_label(row.option, runtimes)}"
        )
    if not row.option:
        return f"Step {row.step}"
    technique = techniques.get(row.technique)
    labels = {o.id: o.label for o in technique.options} if technique else {}
    return (
        f"{technique.title if technique else row.technique}:"
        f" {_lower(labels.get(row.option, row.option))}"
    )


def _target_label(option: str, runtimes: Mapping[str, Runtime]) -> str:
    labels = (o.label for r in runtimes.values() for o in r.options if o.id == option)
    return _lower(next(labels, option.replace("_", " ")))


def _lower(label: str) -> str:
    """A label in the middle of a line: "Per channel" -> "per channel"; abbreviations such as "GPU"
    stay.
    """
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def _said(
    row: DiffRow, value: Any, techniques: Mapping[str, Technique], runtimes: Mapping[str, Runtime]
) -> str:
    if value is ABSENT:
        return NONE
    if isinstance(value, Step):
        return _step(value, techniques)
    if row.step is None and row.option == "runtime":
        return runtimes[value].title if value in runtimes else str(value)
    return value_text(value)


def _step(step: Step, techniques: Mapping[str, Technique]) -> str:
    """ "Static int8 (per channel: on)": a technique with what is not at its default."""
    technique = techniques.get(step.technique)
    labels = {o.id: o.label for o in technique.options} if technique else {}
    settings = "; ".join(
        f"{_lower(labels.get(k, k))}: {value_text(v)}" for k, v in step.params.items()
    )
    return (technique.title if technique else step.technique) + (
        f" ({settings})" if settings else ""
    )


def value_text(value: Any) -> str:
    """An option's value as a person reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value != "" else "none"


def same_text(diff: RecipeDiff, techniques: Mapping[str, Technique]) -> str:
    """Name the steps that are equal in all trials, in a sentence; "" without any."""
    titles = [techniques[id_].title if id_ in techniques else id_ for id_ in diff.same]
    return f"Identical in all: {', '.join(titles)}." if titles else ""


def diff_json(diff: RecipeDiff) -> dict[str, Any]:
    """Return the differences as JSON values; null for a missing step or option."""
    rows = [
        {
            "step": r.step,
            "technique": r.technique,
            "option": r.option,
            "values": [_plain(v) for v in r.values],
        }
        for r in diff.rows
    ]
    return {"rows": rows, "same": list(diff.same)}


def _plain(value: Any) -> Any:
    if isinstance(value, Step):
        return value.to_json()
    return None if value is ABSENT else value
