"""Calls whose time is not in their operators' arithmetic."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latency
from lab.rules._roofline import in_a_call
from lab.rules._words import percent, seconds, times

MOST_S = 5e-5
"""Seconds that starting an operator takes at most; more of them are a measurement that was
disturbed.
"""
LEAST, MOST, SHORT_S, FAR = 0.2, 0.5, 5e-6, 4.0
"""Share of a call outside of its operators; share of a call in short operators; how short; how many
times the machine's least time a call must take.
"""


def _find(case: Case) -> Finding | None:
    return None if case.baseline is None else _between(case) or _small(case)


def _between(case: Case) -> Finding | None:
    """Time of a call beyond its operators, as profiled and as measured: whichever is less, since
    profiling slows calls down.
    """
    mine = latency(case.trial)
    if case.profile is None or mine is None:
        return None
    call = min(case.profile.total_s, mine.value)
    beyond = call - case.profile.operators_s
    if beyond < LEAST * call or beyond > MOST_S * len(case.profile.operators):
        return None
    text = (
        f"{percent(beyond / call)} of a call, {seconds(beyond)}, is spent between its"
        f" {len(case.profile.operators)} operators: on calling the runtime, handing over data and"
        " starting operators."
    )
    return finding("overhead", "speed", text, _REMEDY, beyond / call, seconds=beyond)


def _small(case: Case) -> Finding | None:
    """Most of the time in operators so short that starting them costs more than their arithmetic at
    this machine's peak.
    """
    mine, least, lines = (
        latency(case.trial),
        _least(case),
        case.profile.operators if case.profile else (),
    )
    short = [o for o in lines if o.time_s / max(o.calls, 1) < SHORT_S]
    share = sum(o.time_s for o in short) / max(sum(o.time_s for o in lines), 1e-12)
    if mine is None or not least or share < MOST or mine.value < FAR * least:
        return None
    text = (
        f"At this machine's peak the arithmetic would take {seconds(least)}, but a call takes"
        f" {seconds(mine.value)}, {times(mine.value / least)} as long: {percent(share)} of it is in"
        f" {len(short)} operators of less than {seconds(SHORT_S)} each, most of which is starting"
        " them."
    )
    return finding("overhead", "speed", text, _REMEDY, share, least_s=least, operators=len(short))


def _least(case: Case) -> float:
    """Seconds that the file's products take at best."""
    if case.roofline is None or "float32" not in case.roofline.flops:
        return 0.0
    return sum(
        max(case.roofline.seconds(o.macs, o.moved_bytes, o.precision, o.moved_bytes))
        for o in in_a_call(case)
        if o.macs and o.moved_bytes
    )


_REMEDY = (
    "The model is too small to gain from faster arithmetic: fewer operators, fused ones, or several"
    " items in one call help instead."
)

RULE = Rule(
    id="overhead",
    title="Too small to gain",
    help=(
        "Every call and every operator has a fixed cost. In a small model it is most of the time,"
        " and integers do not lower it."
    ),
    find=_find,
)
