"""What a trial's file answers on other machines, in words and as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.plots import formatting
from lab.plots.words import plain
from lab.types import Measurement, Trial


def elsewhere_texts(trial: Trial, at_least: float = 0.0) -> list[str]:
    """One sentence a machine on which the trial's file answers otherwise; none where it answers
    everywhere as here.

    "On an x86 CPU without VNNI this file reaches an accuracy of 58.5 % (57.0–60.1 %, emulated on
    1,000 items) instead of
    61.9 %, and answers 7.2 % of them otherwise: 312 pairs of weights in 7 operators can saturate."

    Args:
        at_least: leaves out where the primary metric changes by less.
    """
    return [
        _sentence(outcome) for outcome in _outcomes(trial).values() if _change(outcome) >= at_least
    ]


def _change(outcome: Mapping[str, Any]) -> float:
    """How far the primary metric is from what it is here; 0 where it is not known."""
    there, here, _ = _numbers(outcome)
    return abs(there.value - here.value) if there and here else 0.0


def elsewhere_rows(trial: Trial) -> list[dict[str, str]]:
    """One row a machine: its title, the primary metric there and here over the same items, how many
    answers stay, and why.
    """
    return [_row(outcome) for outcome in _outcomes(trial).values()]


def elsewhere_facts(trial: Trial, machine: str) -> list[dict[str, str]]:
    """One row an operator that answers otherwise on a machine."""
    facts = _outcomes(trial).get(machine, {}).get("facts", [])
    return [
        {"operator": f["operator"] or "the file", "type": f["type"], "what": f["text"]}
        for f in facts
    ]


def _outcomes(trial: Trial) -> Mapping[str, Any]:
    found: Mapping[str, Any] = trial.details.emulated or {}
    return found


def _sentence(outcome: Mapping[str, Any]) -> str:
    there, here, agreement = _numbers(outcome)
    because = f": {outcome['because']}" if outcome["because"] else ""
    if there is None or here is None:
        failed = [fact["text"] for fact in outcome["facts"] if not fact["operator"]]
        return " ".join(
            [
                f"{outcome['place']} this file may answer otherwise{because}.",
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
        return ", and answers all of them alike"
    return (
        f", and answers {formatting.value(1 - agreement.value, agreement.unit)} of them otherwise"
    )


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
    """The primary metric there and here, and the agreement with the answers here."""
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
