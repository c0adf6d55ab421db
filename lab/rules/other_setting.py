"""A single setting of the recipe that costs time."""

from __future__ import annotations

from typing import Any

from lab.analysis.differences import surely_faster
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latency
from lab.rules._words import seconds, times
from lab.types import Trial

LEAST, LARGER = 0.1, 1.2
"""Share of the time that the other setting saves; a file so many times as large was made faster by
quantizing less of it.
"""
SCOPE = {"keep_float", "only", "operators", "wide"}
"""Options that choose what is quantized, not how."""


def _find(case: Case) -> Finding | None:
    mine = latency(case.trial)
    if case.baseline is None or mine is None:
        return None
    others = [
        (m.value, t, change)
        for t in case.trials
        if (m := latency(t))
        and m.value < (1 - LEAST) * mine.value
        and _as_small(t, case.trial)
        and (change := _one_change(case.trial, t))
    ]
    faster = (f for f in sorted(others, key=lambda f: f[0]) if surely_faster(f[1], case.trial))
    found_ = next(faster, None)  # the first is the best: no other needs a test
    if found_ is None:
        return None
    best, trial, (option, here, there) = found_
    instead, best_value = _value_text(here), _value_text(there)
    text = (
        f"One setting costs {times(mine.value / best)} the time: with {option} {best_value}"
        f" instead of {instead}, everything else alike, it takes {seconds(best)} instead of"
        f" {seconds(mine.value)}."
    )
    remedy = f"Choose {option} {best_value}, and compare its accuracy."
    return finding(
        "other_setting",
        "speed",
        text,
        remedy,
        1 - best / mine.value,
        option=option,
        value=there,
        trial=trial.id,
    )


def _one_change(mine: Trial, other: Trial) -> tuple[str, Any, Any] | None:
    """(option, value here, value there) where two recipes on one target differ in one option of one
    technique.
    """
    steps, others = mine.recipe.steps, other.recipe.steps
    if (
        mine.target != other.target
        or mine.environment != other.environment
        or len(steps) != len(others)
    ):
        return None
    if any(a.technique != b.technique for a, b in zip(steps, others, strict=True)):
        return None
    changes = [
        (name, a.params.get(name), b.params.get(name))
        for a, b in zip(steps, others, strict=True)
        for name in {*a.params, *b.params}
        if a.params.get(name) != b.params.get(name)
    ]
    return changes[0] if len(changes) == 1 and changes[0][0] not in SCOPE else None


def _as_small(other: Trial, mine: Trial) -> bool:
    return bool(
        other.artifact
        and mine.artifact
        and other.artifact.size_bytes <= LARGER * mine.artifact.size_bytes
    )


def _value_text(value: Any) -> str:
    return (
        {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    )


RULE = Rule(
    id="other_setting",
    title="One setting costs the time",
    help=(
        "Two recipes of this study differ in one setting only, and the other is faster on the same"
        " target. Fast kernels exist for some types and schemes and not for others, and some"
        " settings add operators."
    ),
    find=_find,
)
