"""Weights that are still 32-bit floats."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import bits, finding
from lab.rules._words import percent, plural, size, some, static_technique, weights_technique

LEAST = 0.2


def _find(case: Case) -> Finding | None:
    if case.baseline is None:
        return None
    if case.anatomy is None or not case.anatomy.operators:
        return _counted(case)
    left = [o for o in case.anatomy.operators if o.weight_dtype in ("float32", "float64")]
    kept = sum(o.weight_bytes for o in left)
    share = kept / max(case.anatomy.size_bytes, 1)
    if share < LEAST:
        return None
    names = [o.name for o in sorted(left, key=lambda o: -o.weight_bytes)]
    narrower = any(o.weights and bits(o.weight_dtype) < 32 for o in case.anatomy.operators)
    which = (
        f"in {plural(len(left), 'layer')}: {some(names)}"
        if narrower
        else "in every layer: the recipe makes none narrower"
    )
    text = f"{percent(share)} of the file, {size(kept)}, are still 32-bit floats, {which}."
    return _finding(case, text, share, bytes=kept, layers=names)


def _counted(case: Case) -> Finding | None:
    """Find by the float operators that were counted at evaluation, where the file's anatomy is
    unknown.
    """
    left = dict(case.trial.float_operators)
    if not left:
        return None
    listed = ", ".join(f"{count} {type_}" for type_, count in left.items())
    return _finding(
        case,
        f"{plural(sum(left.values()), 'operator')} of the file were left in float, with their"
        f" weights: {listed}.",
        0.5,
        operators=left,
    )


def _finding(case: Case, text: str, share: float, **evidence: object) -> Finding:
    remedy = (
        f"Use {weights_technique(case.trial)} or {static_technique(case.trial)}, which store"
        " weights in 8 bits or less; a technique for dense layers only leaves convolutions as they"
        " are."
    )
    return finding("float_weights", "size", text, remedy, share, **evidence)


RULE = Rule(
    id="float_weights",
    title="Weights are still floats",
    help=(
        "A weight takes 4 bytes as a float and 1 or less as an integer. A file shrinks as far as"
        " its weights are quantized, and no further."
    ),
    find=_find,
)
