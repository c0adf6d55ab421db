"""16-bit floats that only store weights."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import compared, computes_in, computing, found, products
from lab.rules._words import percent

LEAST = 0.5
AS_FLOAT32 = {"ort": "", "litert": "float32", "openvino": "f32"}
"""Runtimes whose CPU kernels compute such files in 32 bits, with the value of their option precision."""


def _find(case: Case) -> Finding | None:
    half = [o for o in products(case.anatomy) if o.weight_dtype in ("float16", "bfloat16")]
    if case.baseline is None or not half:
        return None
    share = _share_in_float32(case)
    if share is None or share < LEAST:
        return None
    kinds = " and ".join(sorted({o.weight_dtype for o in half}))
    text = (f"The weights of {len(half)} operators are stored as {kinds}, but {percent(share)} of the products are computed in float32: "
            f"half the size, the same work{compared(case)}.")  # fmt: skip
    remedy = ("Take it for its size; for speed use integers, or a target that computes in 16 bits where the CPU can: openvino with "
              "precision bf16 or f16, litert with precision float16.")  # fmt: skip
    return found("half_storage", "speed", text, remedy, share, operators=[o.name for o in half])


def _share_in_float32(case: Case) -> float | None:
    """Of the products' time as profiled; else all, in runtimes that are known for it."""
    lines = [o for o in computing(case.profile) if o.precision]
    if lines:
        return sum(o.time_s for o in lines if o.precision == "float32") / max(sum(o.time_s for o in lines), 1e-12)
    runtime, precision = case.trial.target.runtime, str(case.trial.target.options.get("precision", ""))
    if runtime in AS_FLOAT32 and precision == AS_FLOAT32[runtime]:
        return 1.0
    told = set(computes_in(case).values())
    return 1.0 if told == {"float32"} else None


RULE = Rule(
    id="half_storage",
    title="16-bit floats only store the weights",
    help="Few CPUs compute in 16-bit floats. Weights stored so are turned into 32-bit floats before they are multiplied.",
    find=_find,
)
