"""Layers that wait for memory rather than for arithmetic."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._roofline import placed
from lab.rules._words import percent, rate, short, size, weights_technique

LEAST, NEAR = 0.2, 0.25
"""Share of the time; share of the bandwidth, below which something else is the limit."""


def _find(case: Case) -> Finding | None:
    bound = [p for p in placed(case) if p.memory_s > p.compute_s and p.reach >= NEAR]
    share = (
        sum(p.time_s for p in bound) / max(case.profile.operators_s, 1e-12) if case.profile else 0.0
    )
    if case.baseline is None or not bound or share < LEAST:
        return None
    first = bound[0]
    moved = first.facts.moved_bytes or 0
    reached, peak = moved / first.time_s, moved / first.memory_s
    text = (
        f"{percent(share)} of the time is in layers that memory limits, not arithmetic:"
        f" {short(first.facts.name)} moves {size(moved)} at {rate(reached, 'B/s')},"
        f" {percent(first.reach)} of the {rate(peak, 'B/s')} that this machine reaches."
    )
    remedy = (
        "Only fewer bytes make these layers faster: narrower weights"
        f" ({weights_technique(case.trial)}), or fewer channels."
    )
    return finding(
        "memory_bound",
        "speed",
        text,
        remedy,
        share,
        layers=[p.facts.name for p in bound],
        reach=first.reach,
    )


RULE = Rule(
    id="memory_bound",
    title="Memory is the limit",
    help=(
        "A layer with much data and little arithmetic takes as long as its numbers need to come"
        " from memory, however fast the arithmetic is."
    ),
    find=_find,
)
