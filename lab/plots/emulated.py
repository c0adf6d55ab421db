"""Predictions of a trial's file on other processors, in sentences and as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.plots import formatting
from lab.plots.words import plain
from lab.types import Measurement, Trial


def emulated_texts(trial: Trial, at_least: float = 0.0) -> list[str]:
    """Return a sentence for each processor on which the trial's file gives other predictions; none
    if all are the same.

    "On an x86 CPU without VNNI this file reaches an accuracy of 58.5 % (57.0–60.1 %, emulated on
    1,000 items) instead of 61.9 %, and changes 7.2 % of the answers, because 312 pairs of weights
    in 7 operators can saturate."

    Args:
        at_least: leaves out where the primary metric changes by less.
    """
    return [
        _sentence(outcome) for outcome in _outcomes(trial).values() if _change(outcome) >= at_least
    ]


def _change(outcome: Mapping[str, Any]) -> float:
    """Return the change of the primary metric against this machine; 0 if unknown."""
    there, here, _ = _numbers(outcome)
    return abs(there.value - here.value) if there and here else 0.0


def emulated_rows(trial: Trial) -> list[dict[str, str]]:
    """Return one row per processor: its title, the primary metric there and here on the same items,
    the share of equal predictions, and the reason.
    """
    return [_row(outcome) for outcome in _outcomes(trial).values()]


def emulated_facts(trial: Trial, machine: str) -> list[dict[str, str]]:
    """Return one row per operator with other results on a processor."""
    facts = _outcomes(trial).get(machine, {}).get("facts", [])
    return [
        {"operator": f["operator"] or "the file", "type": f["type"], "what": f["text"]}
        for f in facts
    ]


def _outcomes(trial: Trial) -> Mapping[str, Any]:
    outcomes: Mapping[str, Any] = trial.details.emulated or {}
    return outcomes


def _sentence(outcome: Mapping[str, Any]) -> str:
    there, here, agreement = _numbers(outcome)
    same = agreement is not None and agreement.value == 1
    because = f", {'although' if same else 'because'} {outcome['because']}"
    because = because if outcome["because"] else ""
    if there is None or here is None:
        failed = [fact["text"] for fact in outcome["facts"] if not fact["operator"]]
        return " ".join(
            [
                f"{outcome['place']} this file may give other answers{because}.",
                *(f"{text.rstrip('.')}." for text in failed),
            ]
        )
    value, between = formatting.value(there.value, there.unit), formatting.interval(there)
    reached = (
        f"{plain(there.metric)} of {value} ({between + ', ' if between else ''}emulated on"
        f" {there.n:,} items)"
    )
    before = formatting.value(here.value, here.unit)
    change = "as it does here" if before == value else f"instead of {before}"
    return (
        f"{outcome['place']} this file reaches {_article(reached)} {reached}"
        f" {change}{_otherwise(agreement)}{because}."
    )


def _otherwise(agreement: Measurement | None) -> str:
    if agreement is None:
        return ""
    if agreement.value == 1:
        return ", and keeps all answers"
    return f", and changes {formatting.value(1 - agreement.value, agreement.unit)} of the answers"


def _article(text: str) -> str:
    return "an" if text[0].lower() in "aeiou" else "a"


def _row(outcome: Mapping[str, Any]) -> dict[str, str]:
    there, here, agreement = _numbers(outcome)
    return {
        "machine": outcome["title"],
        "there": formatting.measurement(there),
        "here": formatting.measurement(here),
        "same answers": formatting.measurement(agreement),
        "items": f"{there.n:,}" if there else formatting.UNKNOWN,
        "why": outcome["because"] or "; ".join(fact["text"] for fact in outcome["facts"]),
    }


def _numbers(
    outcome: Mapping[str, Any],
) -> tuple[Measurement | None, Measurement | None, Measurement | None]:
    """Return the primary metric there and here, and the agreement with the predictions here."""
    there = {
        name: Measurement.from_json(name, value) for name, value in outcome["measurements"].items()
    }
    here = {name: Measurement.from_json(name, value) for name, value in outcome["here"].items()}
    primary = next(iter(here), "")
    return (
        there.get(primary),
        here.get(primary),
        next((m for name, m in there.items() if name != primary), None),
    )
