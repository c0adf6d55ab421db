"""Sums or weights that run into the end of their range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import bits, finding
from lab.rules._words import percent, some

CLIPPED = 0.25
"""Of an operator's weights at the ends of their range. One a channel is usual: 11 % of a depthwise
3 × 3 convolution.
"""
SUMS = "x86_without_vnni"


def _find(case: Case) -> Finding | None:
    return _clipped(case) or _overflowing(case)


def _clipped(case: Case) -> Finding | None:
    operators = case.anatomy.operators if case.anatomy else ()
    clipped = [
        o
        for o in operators
        if bits(o.weight_dtype) >= 8 and o.saturated is not None and o.saturated >= CLIPPED
    ]
    if not clipped:
        return None
    worst = max(clipped, key=lambda o: o.saturated or 0.0)
    share = sum(o.weights for o in clipped) / max(sum(o.weights for o in operators), 1)
    text = (
        f"{percent(worst.saturated or 0.0)} of the weights of {worst.name} lie at the ends of their"
        f" range of integers: larger ones may have been cut off. So it is in {len(clipped)}"
        f" operators with {percent(share)} of the weights."
    )
    remedy = (
        "Use per_channel, or another method or algorithm of calibration, whose scales reach the"
        " largest weights."
    )
    return finding(
        "saturation", "accuracy", text, remedy, share, operators=[o.name for o in clipped]
    )


def _overflowing(case: Case) -> Finding | None:
    """Pairs of weights that overflow, as the emulation of such a CPU found them, see
    `lab.processors.x86_without_vnni`.
    """
    outcome: Mapping[str, Any] = (case.trial.details.emulated or {}).get(SUMS, {})
    facts = [f for f in outcome.get("facts", ()) if f.get("count")]
    if not facts:
        return None
    pairs, of = sum(f["count"] for f in facts), sum(f["of"] for f in facts)
    names = some([f["operator"] for f in facts if f["operator"]])
    text = (
        f"On an x86 CPU without VNNI, {pairs} of {of} pairs of weights can exceed the 16 bits that"
        f" their two products are added in ({names}): the sums are cut off and answers change."
    )
    remedy = (
        "For such CPUs use reduce_range in onnx_static_int8, overflow_fix in nncf_onnx_static_int8,"
        " or the scheme s8s8; with VNNI or on Arm there is nothing to do."
    )
    return finding("saturation", "accuracy", text, remedy, pairs / max(of, 1), pairs=pairs, of=of)


RULE = Rule(
    id="saturation",
    title="Integers run out of range",
    help=(
        "What does not fit the range of integers is cut off at its end, in weights when they are"
        " stored or in sums when they are added."
    ),
    find=_find,
)
