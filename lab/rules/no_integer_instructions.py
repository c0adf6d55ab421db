"""Integer operators on a CPU without instructions for sums of 8-bit products."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import (
    compared,
    computes_in,
    features,
    finding,
    is_integer,
    products,
    share_of,
)
from lab.rules._words import percent

DOT_PRODUCTS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"}


def _find(case: Case) -> Finding | None:
    here, precision = features(case.environment), computes_in(case)
    if case.baseline is None or here is None or here & DOT_PRODUCTS:
        return None
    integer = [
        o
        for o in products(case.anatomy)
        if is_integer(precision.get(o.name, "")) and is_integer(o.weight_dtype)
    ]
    share = share_of(case, integer) if integer else None
    if share is None:
        return None
    cpu = case.environment.get("cpu") or "This CPU"
    text = (
        f"{cpu} has no instruction that multiplies and adds 8-bit integers (VNNI on x86, dot"
        f" product on Arm), and {percent(share[0])} {share[1]} is in such operators: they are"
        f" widened to 16 and 32 bits first{compared(case)}."
    )
    remedy = (
        "Expect more of it on a CPU with VNNI or Arm's dot product and measure there; here a"
        " smaller float model may be the faster one."
    )
    return finding(
        "no_integer_instructions", "speed", text, remedy, share[0], features=sorted(here)
    )


RULE = Rule(
    id="no_integer_instructions",
    title="This CPU has no 8-bit dot product",
    help=(
        "Integers are faster than floats mainly through instructions that multiply four 8-bit"
        " numbers and add them at once."
    ),
    find=_find,
)
