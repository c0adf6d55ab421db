"""A model that is computed partly by one library and partly by another."""

from __future__ import annotations

from itertools import pairwise

from lab.evidence import Finding, OperatorTime
from lab.plugs import Case, Rule
from lab.rules._evidence import finding
from lab.rules._words import percent, plural, some

LEAST = 0.05


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.profile is None:
        return None
    outside, borders = _outside(case), _borders(case.profile.operators)
    share = sum(o.time_s for o in outside) / max(case.profile.operators_s, 1e-12)
    if share < LEAST:
        return None
    names = some(sorted({o.operator for o in outside}))
    handed = (
        (f", with {plural(borders, 'hand-over')} between delegate and runtime") if borders else ""
    )
    text = (
        f"The delegate takes {'only a part' if borders else 'nothing'} of the graph:"
        f" {plural(len(outside), 'operator')} with {percent(share)} of the time are computed"
        f" outside it ({names}){handed}."
    )
    return finding(
        "partial_delegate",
        "speed",
        text,
        _remedy(case),
        share,
        operators=[o.operator for o in outside],
        borders=borders,
    )


def _remedy(case: Case) -> str:
    if case.trial.target.runtime == "litert":
        return (
            "Use 8-bit integers only, such as tflite_static_wi8_ai8 without names in wide, or keep"
            " these operators in float with keep_float."
        )
    return (
        "Replace these operators in the model by ones that the delegate supports, or compare"
        " runtimes that compute all of them: ort and openvino."
    )


def _delegated(line: OperatorTime) -> bool:
    return "xnnpack" in line.placed_on.lower() or "delegate" in line.placed_on.lower()


def _outside(case: Case) -> list[OperatorTime]:
    """Operators that an active delegate leaves to others; all of them where it was turned on and
    takes none.
    """
    lines = case.profile.operators if case.profile else ()
    wanted = case.trial.target.options.get("xnnpack") is True or any(map(_delegated, lines))
    return [o for o in lines if o.placed_on and not _delegated(o)] if wanted else []


def _borders(lines: tuple[OperatorTime, ...]) -> int:
    sides = [_delegated(o) for o in lines if o.placed_on]
    return sum(a != b for a, b in pairwise(sides))


RULE = Rule(
    id="partial_delegate",
    title="A delegate covers only a part of the graph",
    help=(
        "A delegate is a library that takes over the operators it knows. What it does not know goes"
        " back to the runtime's own kernels, and data are handed over at each border."
    ),
    find=_find,
)
