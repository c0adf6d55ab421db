"""Calls whose time is not in their operators' arithmetic."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import found, latency, products
from lab.rules._words import percent, seconds, times

LEAST, SHORT_S, FAR = 0.2, 1e-5, 4.0
"""Share of a call outside of its operators; a short operator; how many times the machine's least time is far from it."""


def _find(case: Case) -> Finding | None:
    return None if case.baseline is None else _between(case) or _small(case)


def _between(case: Case) -> Finding | None:
    """What a call takes beyond its operators. Profiling slows both down, so the share is that of the profiled call."""
    if case.profile is None or not case.profile.total_s:
        return None
    share = 1 - case.profile.operators_s / case.profile.total_s
    if share < LEAST:
        return None
    text = (f"{percent(share)} of a call, {seconds(case.profile.total_s - case.profile.operators_s)} while profiled, is spent between its "
            f"{len(case.profile.operators)} operators: on calling the runtime, handing over data and starting operators.")  # fmt: skip
    return found("overhead", "speed", text, _REMEDY, share, seconds=case.profile.total_s - case.profile.operators_s)


def _small(case: Case) -> Finding | None:
    """Operators so short that starting them costs more than their arithmetic at this machine's peak."""
    mine, least, count = latency(case.trial), _least(case), len(case.anatomy.operators) if case.anatomy else 0
    if mine is None or not least or not count or mine.value < FAR * least or mine.value > SHORT_S * count:
        return None
    text = (f"At this machine's peak the arithmetic would take {seconds(least)}, but a call takes {seconds(mine.value)}, {times(mine.value / least)} as long: "
            f"with {seconds(mine.value / count)} for each of {count} operators, starting them is most of the work.")  # fmt: skip
    return found("overhead", "speed", text, _REMEDY, 1 - least / mine.value, least_s=least)


def _least(case: Case) -> float:
    """Seconds that the file's products take at best."""
    if case.roofline is None or "float32" not in case.roofline.flops:
        return 0.0
    return sum(max(case.roofline.seconds(o.macs, o.moved_bytes, o.precision, o.moved_bytes))
               for o in products(case.anatomy) if o.macs and o.moved_bytes)  # fmt: skip


_REMEDY = "The model is too small to gain from faster arithmetic: fewer operators, fused ones, or several items in one call help instead."

RULE = Rule(
    id="overhead",
    title="Too small to gain",
    help="Every call and every operator has a fixed cost. In a small model it is most of the time, and integers do not lower it.",
    find=_find,
)
