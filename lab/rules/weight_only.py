"""Integer weights that are turned into floats before they are multiplied."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import (
    compared,
    computes_in,
    finding,
    is_float,
    is_integer,
    products,
    share_of,
)
from lab.rules._words import percent, to_integers

LEAST = 0.05


def _find(case: Case) -> Finding | None:
    if case.baseline is None:
        return None
    precision = computes_in(case)
    stored = [
        o
        for o in products(case.anatomy)
        if is_integer(o.weight_dtype) and is_float(precision.get(o.name, ""))
    ]
    share = share_of(case, stored) if stored else None
    if share is None or share[0] < LEAST:
        return None
    kinds = sorted({o.weight_dtype for o in stored})
    text = (
        f"The weights of {len(stored)} operators with {percent(share[0])} {share[1]} are stored as"
        f" {' and '.join(kinds)}, but multiplied as floats: they are converted when the file is"
        f" loaded or at each call{compared(case)}."
    )
    return finding(
        "weight_only",
        "speed",
        text,
        f"{_gain(case)}{to_integers(case.trial)}",
        share[0],
        operators=[o.name for o in stored],
        weights=kinds,
    )


def _gain(case: Case) -> str:
    mine, theirs = case.trial.artifact, case.baseline.artifact if case.baseline else None
    return (
        "It is smaller, not faster. "
        if mine and theirs and mine.size_bytes < theirs.size_bytes
        else ""
    )


RULE = Rule(
    id="weight_only",
    title="Weights are integers, products are float",
    help=(
        "Weights stored as integers make the file smaller. Where products are still computed in"
        " float, the weights must be converted first, so nothing becomes faster."
    ),
    find=_find,
)
