"""Pairs of quantize and dequantize operators around nothing that computes in integers."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._words import percent, plural, static_technique

LEAST = 0.02


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.anatomy is None or not case.anatomy.unfused_pairs:
        return None
    pairs, share = case.anatomy.unfused_pairs, _share(case)
    if share < LEAST:
        return None
    told = f" They take about {percent(share)} of the time." if case.profile else ""
    text = (
        f"{plural(pairs, 'pair')} of quantize and dequantize stand in the graph with no integer"
        f" operator that could absorb them.{told}"
    )
    remedy = (
        f"Quantize the operators around them too with {static_technique(case.trial)} and 8-bit"
        " activations, or leave those layers in float with keep_float so that nothing is converted"
        " to and fro."
    )
    return finding("unfused_pairs", "speed", text, remedy, share, pairs=pairs)


def _share(case: Case) -> float:
    """Share of the time in quantize and dequantize operators that these pairs cause; unprofiled,
    their share of the file's operators.
    """
    steps = 2 * case.anatomy.unfused_pairs if case.anatomy else 0
    if case.profile is None:
        return steps / max(len(case.anatomy.operators), 1) if case.anatomy else 0.0
    lines = sum(o.calls for o in case.profile.operators if o.kind in ("quantize", "dequantize"))
    return case.profile.share("quantize", "dequantize") * min(1.0, steps / max(lines, 1))


RULE = Rule(
    id="unfused_pairs",
    title="Quantize and dequantize without an integer operator between",
    help=(
        "A runtime drops a pair of quantize and dequantize where it has an integer operator to put"
        " in its place. Where it has none, numbers are rounded at every call and nothing is gained."
    ),
    find=_find,
)
