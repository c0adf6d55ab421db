"""Questions about a case that several rules share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lab.evidence import Anatomy, Finding, OperatorFacts, OperatorTime, Profile
from lab.plugs import Case
from lab.rules._words import seconds
from lab.types import Measurement, Trial

KNOWN_LAYERS = 0.7
"""Shares are of the profile's time where so much of it is of layers that the file names, else of
multiplications, else of weights.
"""


def finding(
    rule: str,
    about: Literal["speed", "size", "accuracy"],
    text: str,
    remedy: str,
    share: float,
    **evidence: Any,
) -> Finding:
    """A finding whose share lies within 0 … 1."""
    return Finding(rule, about, text, remedy, min(1.0, max(0.0, float(share))), evidence)


# --- numbers that were measured -------------------------------------------------------------------


def latencies(case: Case) -> tuple[Measurement, Measurement] | None:
    """Latency of the trial and of its baseline, if both are known."""
    mine, theirs = latency(case.trial), latency(case.baseline)
    return (mine, theirs) if mine and theirs and theirs.value > 0 else None


def latency(trial: Trial | None) -> Measurement | None:
    """A trial's latency, if it has one."""
    return trial.measurements.get("latency_s") if trial else None


def compared(case: Case) -> str:
    """The measured latencies as the end of a sentence: ", 0.37 ms against 0.23 ms in float"; ""
    where not known.
    """
    pair = latencies(case)
    return f", {seconds(pair[0].value)} against {seconds(pair[1].value)} in float" if pair else ""


def twin(case: Case, option: str, value: Any) -> Trial | None:
    """The trial that differs from this one in nothing but one option of the target."""
    wanted = {**case.trial.target.options, option: value}
    same_target = (
        t
        for t in case.trials
        if t.target.runtime == case.trial.target.runtime and t.target.options == wanted
    )
    return next(
        (
            t
            for t in same_target
            if t.recipe == case.trial.recipe and t.environment == case.trial.environment
        ),
        None,
    )


# --- operators of the file and of the profile -----------------------------------------------------


def is_integer(dtype: str) -> bool:
    """int8, uint4 … but not a float nor unknown."""
    return dtype.startswith(("int", "uint"))


def is_float(dtype: str) -> bool:
    """float32, bfloat16 … but not an integer nor unknown."""
    return dtype.startswith(("float", "bfloat"))


def bits(dtype: str) -> int:
    """Return the bits of a type by its name: "uint4" -> 4; 32 where the name has none."""
    digits = "".join(c for c in dtype if c.isdigit())
    return int(digits) if digits else 32


def products(anatomy: Anatomy | None) -> list[OperatorFacts]:
    """The operators that multiply."""
    return [o for o in anatomy.operators if o.kind == "compute"] if anatomy else []


def is_quantized(anatomy: Anatomy | None) -> bool:
    """Return whether an operator that multiplies has integer weights."""
    return any(is_integer(o.weight_dtype) for o in products(anatomy))


def computes_in(case: Case) -> dict[str, str]:
    """Layer -> what it computes in: as the profile saw it, else as the file says."""
    told = {o.name: o.precision for o in products(case.anatomy)}
    seen = {o.layer: o.precision for o in computing(case.profile) if o.layer and o.precision}
    return told | {name: precision for name, precision in seen.items() if name in told}


def computing(profile: Profile | None) -> list[OperatorTime]:
    """The lines of a profile that multiply."""
    return [o for o in profile.operators if o.kind == "compute"] if profile else []


def share_of(case: Case, operators: Sequence[OperatorFacts]) -> tuple[float, str] | None:
    """The share that some of the file's operators have, of the first that is known: time,
    multiplications, weights.

    Returns:
        0 … 1, and "of the time", "of the multiplications" or "of the weights"; None where nothing
        is known.
    """
    if case.anatomy is None:
        return None
    names = {o.name for o in operators}
    return _share_of_time(case, names) or _share_of_facts(case.anatomy, names)


def _share_of_time(case: Case, names: set[str]) -> tuple[float, str] | None:
    lines, known = computing(case.profile), {o.name for o in products(case.anatomy)}
    total = sum(o.time_s for o in lines)
    if case.profile is None or sum(
        o.time_s for o in lines if o.layer in known
    ) < KNOWN_LAYERS * max(total, 1e-12):
        return None
    mine = sum(o.time_s for o in lines if o.layer in names)
    return mine / max(case.profile.operators_s, 1e-12), "of the time"


def _share_of_facts(anatomy: Anatomy, names: set[str]) -> tuple[float, str] | None:
    for kind, attribute in (("multiplications", "macs"), ("weights", "weights")):
        counts = {o.name: getattr(o, attribute) or 0 for o in products(anatomy)}
        if total := sum(counts.values()):
            return sum(n for name, n in counts.items() if name in names) / total, f"of the {kind}"
    return None


def part(anatomy: Anatomy, *names: str) -> float:
    """Share of the file that some of its parts take."""
    return sum(anatomy.parts.get(name, 0) for name in names) / max(anatomy.size_bytes, 1)


def features(environment: Mapping[str, Any]) -> set[str] | None:
    """The CPU's features that matter here; None where nobody looked."""
    listed = environment.get("features")
    return None if listed is None else set(listed)
