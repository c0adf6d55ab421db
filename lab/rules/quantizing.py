"""Time that goes into turning numbers into integers and back."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import compared, finding
from lab.rules._words import percent, plural, seconds, to_integers

LEAST = 0.05


def _find(case: Case) -> Finding | None:
    if (
        case.baseline is None
        or case.profile is None
        or case.profile.share("quantize", "dequantize") < LEAST
    ):
        return None
    lines = [o for o in case.profile.operators if o.kind in ("quantize", "dequantize")]
    share, spent = case.profile.share("quantize", "dequantize"), sum(o.time_s for o in lines)
    text = (
        f"Turning numbers into integers and back takes {percent(share)} of the time,"
        f" {seconds(spent)} a call in"
        f" {plural(sum(o.calls for o in lines), 'step')}{compared(case)}."
    )
    return finding(
        "quantizing",
        "speed",
        text,
        to_integers(case.trial),
        share,
        seconds=spent,
        operators=len(lines),
    )


RULE = Rule(
    id="quantizing",
    title="Quantizing takes time itself",
    help=(
        "Between float and integer operators every number is scaled and rounded. Dynamic"
        " quantization does so before each layer and looks for the range of the numbers first."
    ),
    find=_find,
)
