"""Layers with little arithmetic for the data that they move."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, products, share_of
from lab.rules._words import percent, plural, some

LEAST, FEW = 0.25, 5.0
"""Share that is worth a sentence; multiplications for each byte moved. A depthwise 3 × 3
convolution in 8 bits has 4.5.
"""


def _find(case: Case) -> Finding | None:
    if case.baseline is None:
        return None
    thin = [
        o
        for o in products(case.anatomy)
        if o.macs and o.moved_bytes and o.macs < FEW * o.moved_bytes
    ]
    share = share_of(case, thin) if thin else None
    if share is None or share[0] < LEAST:
        return None
    mean = sum(o.macs or 0 for o in thin) / sum(o.moved_bytes or 0 for o in thin)
    text = (
        f"{plural(len(thin), 'layer')} with {percent(share[0])} {share[1]} do only {mean:.2g}"
        f" multiplications for each byte that they read and write: {some([o.name for o in thin])}."
        " Faster arithmetic hardly helps them."
    )
    remedy = (
        "This is typical of depthwise convolutions, and of dense layers at batch size 1: fewer or"
        " narrower weights help, a larger batch, or plain convolutions."
    )
    return finding(
        "low_intensity",
        "speed",
        text,
        remedy,
        share[0],
        layers=[o.name for o in thin],
        macs_per_byte=mean,
    )


RULE = Rule(
    id="low_intensity",
    title="Little arithmetic for much data",
    help=(
        "Integers speed up multiplications. A layer that multiplies each number only a few times"
        " spends its time on moving numbers instead."
    ),
    find=_find,
)
