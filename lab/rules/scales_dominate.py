"""Scales and zero points that take a good part of the file."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, part
from lab.rules._words import percent, size

LEAST = 0.08
_BLOCKS = ("block_size", "group_size")
_NONE = (None, 0, "0", "channel")
"""Values of these options that mean a scale for each channel."""


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.anatomy is None or part(case.anatomy, "scales") < LEAST:
        return None
    share, scales = part(case.anatomy, "scales"), case.anatomy.parts["scales"]
    text = (
        f"{percent(share)} of the file, {size(scales)}, are scales and zero points, which say what"
        f" the integers stand for{_each(case)}."
    )
    return finding("scales_dominate", "size", text, _remedy(case), share, scales_bytes=scales)


def _each(case: Case) -> str:
    weights = case.anatomy.parts.get("weights", 0) if case.anatomy else 0
    return (
        f": {percent(case.anatomy.parts['scales'] / weights)} on top of the weights"
        if case.anatomy and weights
        else ""
    )


def _remedy(case: Case) -> str:
    given = [
        name for s in case.trial.recipe.steps for name in _BLOCKS if s.params.get(name) not in _NONE
    ]
    if given:
        return f"Choose a larger {given[0]}: so many weights share one scale."
    return "Turn per_channel off, if accuracy allows it: then a whole tensor shares one scale."


RULE = Rule(
    id="scales_dominate",
    title="Scales take much of the file",
    help=(
        "Each block or channel of integer weights has a scale, often of 32 bits. Small blocks and"
        " narrow layers have many of them."
    ),
    find=_find,
)
