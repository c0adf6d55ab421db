"""A recipe that leaves the model as it was."""

from __future__ import annotations

from typing import Any

from lab.evidence import Anatomy, Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._words import size


def _find(case: Case) -> Finding | None:
    mine, before = case.trial.artifact, case.baseline.artifact if case.baseline else None
    if mine is None or before is None:
        return None
    if mine.sha256 == before.sha256:
        text = (
            "The recipe makes the same file as the float model, byte for byte:"
            f" {size(mine.size_bytes)}."
        )
    elif _same_operators(case.anatomy, case.baseline_anatomy):
        count = len(case.anatomy.operators) if case.anatomy else 0
        text = (
            f"The file has the same {count} operators with the same weights and types as the float"
            " model's; the files differ in names and descriptions at most."
        )
    else:
        return None
    remedy = (
        "Leave the step out: what it does, this runtime or the conversion does by itself when it"
        " loads the file; or choose a technique that changes weights."
    )
    return finding(
        "changes_nothing", "speed", text, remedy, 1.0, same_bytes=mine.sha256 == before.sha256
    )


def _same_operators(mine: Anatomy | None, before: Anatomy | None) -> bool:
    return bool(mine and before and mine.operators and _facts(mine) == _facts(before))


def _facts(anatomy: Anatomy) -> list[tuple[Any, ...]]:
    return [
        (o.type, o.precision, o.weight_dtype, o.weights, o.zeros, o.macs) for o in anatomy.operators
    ]


RULE = Rule(
    id="changes_nothing",
    title="The recipe changes nothing",
    help=(
        "Some steps have no effect on some models: what they would fuse is fused already, or what"
        " they would quantize is not there."
    ),
    find=_find,
)
