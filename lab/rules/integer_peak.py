"""A machine whose integer arithmetic is hardly faster than its float arithmetic."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import computes_in, finding, is_integer, products, share_of
from lab.rules._words import rate, times

ENOUGH = 2.0
"""Times as many operations a second in 8-bit integers: above, integers have the better of it."""


def _find(case: Case) -> Finding | None:
    flops = case.roofline.flops if case.roofline else {}
    if (
        case.baseline is None
        or "int8" not in flops
        or not flops.get("float32")
        or flops["int8"] >= ENOUGH * flops["float32"]
    ):
        return None
    precision = computes_in(case)
    share = share_of(
        case, [o for o in products(case.anatomy) if is_integer(precision.get(o.name, ""))]
    )
    if share is None or not share[0]:
        return None
    ratio = flops["int8"] / flops["float32"]
    text = (
        f"At best this machine computes {rate(flops['int8'], 'operations/s')} in 8-bit integers,"
        f" {times(ratio)} the {rate(flops['float32'], 'operations/s')} in float32: even a perfect"
        " integer kernel gains no more than that."
    )
    remedy = "Take integers for the size; for speed measure on a CPU with VNNI, AMX or Arm's i8mm."
    return finding("integer_peak", "speed", text, remedy, share[0], ratio=ratio)


RULE = Rule(
    id="integer_peak",
    title="Integers are hardly faster on this machine",
    help=(
        "How much integers can gain is the machine's peak in integers over its peak in floats, both"
        " measured here by multiplying matrices."
    ),
    find=_find,
)
