"""16-bit floats that are computed without instructions for them."""

from __future__ import annotations

from lab import registry
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import compared, computing, features, finding, products
from lab.rules._words import percent

INSTRUCTIONS = {"float16": {"avx512_fp16", "fphp"}, "bfloat16": {"avx512_bf16", "amx_bf16", "bf16"}}
_RECIPES = {"torch_executorch_fp16": "float16", "torch_half": "float16"}
"""Techniques whose files compute in 16 bits, where no look into the file tells."""


def _find(case: Case) -> Finding | None:
    here = features(case.environment)
    if case.baseline is None or here is None:
        return None
    for kind, instructions in INSTRUCTIONS.items():
        share = _share(case, kind)
        if share > 0.05 and not here & instructions:
            return _finding(case, kind, share, sorted(instructions))
    return None


def _finding(case: Case, kind: str, share: float, instructions: list[str]) -> Finding:
    cpu = case.environment.get("cpu") or "This CPU"
    text = (
        f"{percent(share)} of the products are computed in {kind}, for which {cpu} has no"
        f" instructions ({' or '.join(instructions)}): each number is converted to float32 and"
        f" back, or computed by plain loops{compared(case)}."
    )
    remedy = (
        "Measure it on a CPU with these instructions; here use 8-bit integers for speed, or"
        " float32."
    )
    return finding(
        "half_emulated", "speed", text, remedy, share, precision=kind, instructions=instructions
    )


def _share(case: Case, kind: str) -> float:
    """Share of the products' time as profiled, else of the file's, else as the recipe says."""
    lines = [o for o in computing(case.profile) if o.precision]
    if lines:
        return sum(o.time_s for o in lines if o.precision == kind) / max(
            sum(o.time_s for o in lines), 1e-12
        )
    stored = [o.precision for o in products(case.anatomy)]
    runtime = registry.runtimes().get(case.trial.target.runtime)
    if stored and runtime is not None and runtime.computes_as_stored:
        return stored.count(kind) / len(stored)
    return float(
        not stored and any(_dtype(s.technique, s.params) == kind for s in case.trial.recipe.steps)
    )


def _dtype(technique: str, params: object) -> str:
    given = params.get("dtype") if isinstance(params, dict) else None
    return str(given or _RECIPES.get(technique, "")) if technique in _RECIPES else ""


RULE = Rule(
    id="half_emulated",
    title="No instructions for 16-bit floats",
    help=(
        "A file can ask for 16-bit float arithmetic on any CPU; one without instructions for it"
        " computes it in a roundabout way."
    ),
    find=_find,
)
