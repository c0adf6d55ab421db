"""Time that goes into moving data: transposes, reorders and copies."""

from __future__ import annotations

from collections import Counter

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._words import percent, seconds

LEAST = 0.05


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.profile is None or case.profile.share("layout") < LEAST:
        return None
    moving = Counter[str]()
    for line in case.profile.operators:
        if line.kind == "layout":
            moving[line.operator] += line.calls
    share, before = case.profile.share("layout"), _before(case)
    text = (
        f"Moving data takes {percent(share)} of the time,"
        f" {seconds(share * case.profile.operators_s)} a call: "
        + ", ".join(f"{count} {name}" for name, count in moving.most_common(4))
        + f"{before}."
    )
    remedy = (
        "Convert the model in the layout that the runtime computes in (channels last for litert,"
        " any for ort and openvino), or quantize the operators between two reorders too, so that"
        " data stay as they lie."
    )
    return finding("layout", "speed", text, remedy, share, operators=dict(moving))


def _before(case: Case) -> str:
    return (
        f"; {percent(case.baseline_profile.share('layout'))} in the float model"
        if case.baseline_profile
        else ""
    )


RULE = Rule(
    id="layout",
    title="Data are moved to and fro",
    help=(
        "Transposes, reorders and copies compute nothing: they bring numbers into the order that"
        " the next operator wants."
    ),
    find=_find,
)
