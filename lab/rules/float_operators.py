"""Operators that compute in float as they did before."""

from __future__ import annotations

from collections import Counter

from lab.evidence import Finding, OperatorFacts
from lab.plugs import Case, Rule
from lab.rules._evidence import (
    compared,
    computes_in,
    computing,
    finding,
    is_float,
    products,
    share_of,
)
from lab.rules._words import percent, plural, some, static_technique

LEAST = 0.05
"""A smaller share of the time is not worth a sentence."""


def _find(case: Case) -> Finding | None:
    if case.baseline is None:
        return None
    if not any(computes_in(case).values()):
        return _counted(case)
    left = _left(case)
    share = share_of(case, left) if left else None
    if share is None or share[0] < LEAST:
        return None
    names, total = [o.name for o in left], len(products(case.anatomy))
    which = f"All {total}" if len(left) == total else f"{len(left)} of {total}"
    text = (
        f"{which} operators that multiply compute in {_usual(case)} as in the float model, with"
        f" {percent(share[0])} {share[1]}{compared(case)}: {some(names)}."
    )
    return _finding(case, text, share[0], operators=names, of=total)


def _left(case: Case) -> list[OperatorFacts]:
    """Not those whose weights are stored in fewer bits: `weight_only` and `half_storage` speak of
    them.
    """
    precision, usual = computes_in(case), _usual(case)
    return [
        o
        for o in products(case.anatomy)
        if precision.get(o.name) == usual and o.weight_dtype in ("", "float32")
    ]


def _usual(case: Case) -> str:
    """Return the type in which the float model computes on this target: float32, unless the target
    asks for fewer bits.
    """
    spent: Counter[str] = Counter()
    for line in computing(case.baseline_profile):
        spent[line.precision] += round(1e9 * line.time_s)
    usual = spent.most_common(1)[0][0] if spent else "float32"
    return usual if is_float(usual) else "float32"


def _counted(case: Case) -> Finding | None:
    """Find by the operators that were counted at evaluation, where the file itself does not say the
    types in which they compute.
    """
    left = dict(case.trial.float_operators)
    if not left:
        return None
    listed = ", ".join(f"{count} {type_}" for type_, count in left.items())
    text = f"{plural(sum(left.values()), 'operator')} of the file compute in float: {listed}."
    return _finding(case, text, 0.5, operators=left)


def _finding(case: Case, text: str, share: float, **evidence: object) -> Finding:
    remedy = (
        f"Use {static_technique(case.trial)} without names in keep_float; where an operator type"
        " stays float all the same, its technique or runtime has no integer kernel for it."
    )
    return finding("float_operators", "speed", text, remedy, share, **evidence)


RULE = Rule(
    id="float_operators",
    title="Operators left in float",
    help=(
        "Only operators that compute in integers can use the faster integer instructions; the"
        " others take as long as before."
    ),
    find=_find,
)
