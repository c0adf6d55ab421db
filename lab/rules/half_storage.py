"""16-bit floats that only store weights."""

from __future__ import annotations

from collections import Counter

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import compared, computes_in, computing, finding, products
from lab.rules._words import percent

LEAST = 0.5
AS_FLOAT32 = {"ort": "", "litert": "float32", "openvino": "f32"}
"""Runtimes whose CPU kernels compute such files in 32 bits, with the value of their option
precision.
"""


def _find(case: Case) -> Finding | None:
    half = [o for o in products(case.anatomy) if o.weight_dtype in ("float16", "bfloat16")]
    precision, share = _computed(case) if case.baseline and half else ("", 0.0)
    kinds = sorted({o.weight_dtype for o in half})
    if share < LEAST or precision in kinds:
        return None
    text = (
        f"The weights of {len(half)} operators are stored as {' and '.join(kinds)}, but"
        f" {percent(share)} of the products are computed in {precision}: half the size, the same"
        f" work{compared(case)}."
    )
    remedy = (
        "Take it for its size; for speed use integers, or a target that computes in 16 bits where"
        " the CPU can: openvino with precision bf16 or f16, litert with precision float16."
    )
    return finding(
        "half_storage",
        "speed",
        text,
        remedy,
        share,
        operators=[o.name for o in half],
        computed=precision,
    )


def _computed(case: Case) -> tuple[str, float]:
    """The precision of most products, and their share of the products' time; else what the runtime
    is known for, or the file says.
    """
    spent: Counter[str] = Counter()
    for line in computing(case.profile):
        spent[line.precision] += round(1e9 * line.time_s)
    if any(spent):
        precision, most = spent.most_common(1)[0]
        return precision, most / max(spent.total(), 1)
    runtime, option = case.trial.target.runtime, str(case.trial.target.options.get("precision", ""))
    told = set(computes_in(case).values())
    as_float32 = AS_FLOAT32.get(runtime) == option or told == {"float32"}
    return ("float32", 1.0) if as_float32 else ("", 0.0)


RULE = Rule(
    id="half_storage",
    title="16-bit floats only store the weights",
    help=(
        "Few CPUs compute in 16-bit floats. Weights stored so are turned into other floats before"
        " they are multiplied."
    ),
    find=_find,
)
