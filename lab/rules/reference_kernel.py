"""Operators that are computed by plain loops instead of kernels written for this CPU."""

from __future__ import annotations

from lab.analysis.differences import surely_faster
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import compared, finding, latencies, latency, twin
from lab.rules._words import percent, seconds, some, times

LEAST, FAR = 0.1, 4.0
"""Share of the time; times the float latency that tell plain loops from kernels."""


def _find(case: Case) -> Finding | None:
    return _profiled(case) or _wide(case) or _without_xnnpack(case)


def _profiled(case: Case) -> Finding | None:
    lines = (
        [
            o
            for o in case.profile.operators
            if "ref" in o.placed_on.lower().replace("_", " ").split()
            or "reference" in o.placed_on.lower()
        ]
        if case.profile
        else []
    )
    spent = sum(o.time_s for o in lines)
    if case.profile is None or case.baseline is None or spent < LEAST * case.profile.operators_s:
        return None
    share = spent / max(case.profile.operators_s, 1e-12)
    names = some(sorted({o.operator for o in lines}))
    text = (
        f"{percent(share)} of the time is in reference kernels, plain loops that are right but not"
        f" fast: {names}{compared(case)}."
    )
    return finding(
        "reference_kernel",
        "speed",
        text,
        _remedy(case),
        share,
        operators=sorted({o.operator for o in lines}),
    )


def _without_xnnpack(case: Case) -> Finding | None:
    """The option that turns the fast library off, against the same file with it on."""
    if case.trial.target.options.get("xnnpack") is not False:
        return None
    faster = twin(case, "xnnpack", True)
    other, mine = latency(faster), latency(case.trial)
    if faster is None or mine is None or other is None or not surely_faster(faster, case.trial):
        return None
    ratio, share = mine.value / other.value, 1 - other.value / mine.value
    text = (
        f"XNNPACK is off, so LiteRT's own kernels compute everything: {seconds(mine.value)},"
        f" {times(ratio)} the {seconds(other.value)} that the same file takes with it."
    )
    return finding(
        "reference_kernel",
        "speed",
        text,
        "Choose the target litert with xnnpack on.",
        share,
        ratio=ratio,
    )


def _wide(case: Case) -> Finding | None:
    """XNNPACK knows no 16-bit activations: LiteRT computes them by its own kernels, which are plain
    loops.
    """
    technique = next(
        (
            s.technique
            for s in case.trial.recipe.steps
            if "ai16" in s.technique or "int16x8" in s.technique
        ),
        "",
    )
    pair = latencies(case)
    if (
        pair is None
        or case.trial.target.runtime != "litert"
        or not technique
        or pair[0].value < FAR * pair[1].value
    ):
        return None
    text = (
        "Activations have 16 bits, for which XNNPACK has no kernels and LiteRT only plain loops:"
        f" {times(pair[0].value / pair[1].value)} the time of float{compared(case)}."
    )
    return finding(
        "reference_kernel",
        "speed",
        text,
        _remedy(case),
        1 - pair[1].value / pair[0].value,
        technique=technique,
    )


def _remedy(case: Case) -> str:
    if case.trial.target.runtime == "litert":
        return (
            "Use tflite_static_wi8_ai8, whose 8-bit activations XNNPACK computes; its option wide"
            " gives 16 bits to single layers, and xnnpack must be on."
        )
    return (
        "Use 8-bit integers or float32, for which the runtime has kernels of its own, or another"
        " runtime."
    )


RULE = Rule(
    id="reference_kernel",
    title="Reference kernels",
    help=(
        "For rare combinations of types a runtime has only a plain version of an operator, which is"
        " many times slower."
    ),
    find=_find,
)
