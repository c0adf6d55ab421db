"""Layers that take as long as their float kernels, or longer."""

from __future__ import annotations

from lab.evidence import Finding, Profile
from lab.plugs import Case, Rule
from lab.rules._evidence import computing, found
from lab.rules._words import seconds, times

LEAST = 0.9
"""Of the float model's time in the operators that multiply; below, they did become faster."""


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.profile is None or case.baseline_profile is None:
        return None
    mine, theirs = _by_layer(case.profile), _by_layer(case.baseline_profile)
    spent, before = sum(mine.values()), sum(theirs.values())
    if not before or spent < LEAST * before:
        return None
    text = (f"The operators that multiply take {seconds(spent)} a call, {times(spent / before)} the {seconds(before)} of the float model's: this "
            f"runtime's kernels for them are no faster than its float kernels{_worst(mine, theirs)}.")  # fmt: skip
    remedy = ("Keep the layers that became slower in float with keep_float, or compare the other runtimes: kernels for the same integers "
              "differ much.")  # fmt: skip
    share = spent / max(case.profile.operators_s, 1e-12)
    return found(
        "layers_no_faster",
        "speed",
        text,
        remedy,
        share,
        seconds=spent,
        float_seconds=before,
        layers=_changes(mine, theirs),
    )


def _by_layer(profile: Profile) -> dict[str, float]:
    spent: dict[str, float] = {}
    for line in computing(profile):
        spent[line.layer or line.operator] = spent.get(line.layer or line.operator, 0.0) + line.time_s
    return spent


def _changes(mine: dict[str, float], theirs: dict[str, float]) -> dict[str, list[float]]:
    """Layer -> seconds in float and here, of those that both have."""
    return {name: [theirs[name], mine[name]] for name in mine if theirs.get(name)}


def _worst(mine: dict[str, float], theirs: dict[str, float]) -> str:
    slower = sorted(((mine[n] - theirs[n], n) for n in mine if theirs.get(n) and mine[n] > theirs[n]), reverse=True)
    told = [f"{n} ({seconds(theirs[n])} to {seconds(mine[n])})" for _, n in slower[:3]]
    return f"; {len(slower)} layers became slower, most of all {', '.join(told)}" if told else ""


RULE = Rule(
    id="layers_no_faster",
    title="The float kernels are as fast",
    help="A runtime's float kernels are often the result of years of work. Those for other types need not be faster, least of all for small layers.",
    find=_find,
)
