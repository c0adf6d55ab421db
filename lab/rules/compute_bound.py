"""Layers that arithmetic limits, and how near to this machine's peak they run."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._roofline import placed
from lab.rules._words import percent, rate, short

LEAST, NEAR = 0.2, 0.5


def _find(case: Case) -> Finding | None:
    bound = [p for p in placed(case) if p.compute_s >= p.memory_s]
    share = (
        sum(p.time_s for p in bound) / max(case.profile.operators_s, 1e-12) if case.profile else 0.0
    )
    if case.baseline is None or case.roofline is None or not bound or share < LEAST:
        return None
    first, reach = bound[0], sum(p.compute_s for p in bound) / sum(p.time_s for p in bound)
    peak = 2 * (first.facts.macs or 0) / first.compute_s
    text = (
        f"{percent(share)} of the time is in layers that arithmetic limits; together they run at"
        f" {percent(min(reach, 1.0))} of the peak measured on this machine. The heaviest,"
        f" {short(first.facts.name)}, reaches {percent(min(first.reach, 1.0))} of"
        f" {rate(peak, 'operations/s')} in {first.precision}."
    )
    return finding(
        "compute_bound",
        "speed",
        text,
        _remedy(reach),
        share * _accounted(reach),
        layers=[p.facts.name for p in bound],
        reach=reach,
    )


def _accounted(reach: float) -> float:
    """Return the share of the layers' time that the figure accounts for: time that cannot be saved
    near the peak, or is lost far from it.
    """
    return min(reach, 1.0) if reach >= NEAR else 1 - reach


def _remedy(reach: float) -> str:
    if reach >= NEAR:
        return (
            "The kernels have little left to give: only fewer multiplications, or narrower"
            " integers, make these layers faster."
        )
    return (
        "The kernels leave much of the peak unused, as they do with few channels and small images:"
        " try another runtime, or layers whose channels are multiples of 16."
    )


RULE = Rule(
    id="compute_bound",
    title="Arithmetic is the limit",
    help=(
        "Where a layer has enough arithmetic for its data, the limit is how many operations a"
        " second the CPU computes. How near a kernel comes to it tells whether another kernel could"
        " be faster."
    ),
    find=_find,
)
