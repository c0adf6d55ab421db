"""Operators that compute in float in a file whose other operators have integer weights."""

from __future__ import annotations

from lab.evidence import Finding, OperatorFacts
from lab.plugs import Case, Rule
from lab.rules._evidence import compared, computes_in, found, is_float, is_integer, is_quantized, products, share_of
from lab.rules._words import percent, plural, some, static_technique

LEAST = 0.05
"""A smaller share of the time is not worth a sentence."""


def _find(case: Case) -> Finding | None:
    if case.baseline is None:
        return None
    if case.anatomy is None or not case.anatomy.operators:
        return _counted(case)
    left = _left(case) if is_quantized(case.anatomy) else []
    share = share_of(case, left) if left else None
    if share is None or share[0] < LEAST:
        return None
    names, total = [o.name for o in left], len(products(case.anatomy))
    text = (f"{len(left)} of {plural(total, 'operator')} that multiply compute in float and take {percent(share[0])} "
            f"{share[1]}{compared(case)}: {some(names)}.")  # fmt: skip
    return _finding(case, text, share[0], operators=names, of=total)


def _left(case: Case) -> list[OperatorFacts]:
    precision = computes_in(case)
    return [o for o in products(case.anatomy) if is_float(precision.get(o.name, "")) and not is_integer(o.weight_dtype)]


def _counted(case: Case) -> Finding | None:
    """Where nobody looked into the file: the operators that were counted when it was evaluated."""
    left = dict(case.trial.float_operators)
    if not left:
        return None
    listed = ", ".join(f"{count} {type_}" for type_, count in left.items())
    return _finding(
        case, f"{plural(sum(left.values()), 'operator')} of the file compute in float: {listed}.", 0.5, operators=left
    )


def _finding(case: Case, text: str, share: float, **evidence: object) -> Finding:
    remedy = (f"Use {static_technique(case.trial)} without names in keep_float; where an operator type stays float all the same, "
              "its technique or runtime has no integer kernel for it.")  # fmt: skip
    return found("float_operators", "speed", text, remedy, share, **evidence)


RULE = Rule(
    id="float_operators",
    title="Operators left in float",
    help="Only operators that compute in integers can use the faster integer instructions; the others take as long as before.",
    find=_find,
)
