"""A runtime that was told not to fuse operators."""

from __future__ import annotations

from lab.analysis.differences import surely_faster
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latency, twin
from lab.rules._words import percent, plural, seconds

OPTION, BEST = "graph_optimization", "all"


def _find(case: Case) -> Finding | None:
    level = case.trial.target.options.get(OPTION, BEST)
    if level == BEST:
        return None
    best = twin(case, OPTION, BEST)
    other, mine = latency(best), latency(case.trial)
    if best and mine and other:
        return _against(level, mine.value, other.value) if surely_faster(best, case.trial) else None
    if case.profile is None:
        return None
    text = (
        f"Graph optimization is {level}: {plural(len(case.profile.operators), 'operator')} run one"
        " by one, none of them fused with its neighbours."
    )
    return finding("graph_optimization_off", "speed", text, _REMEDY, 0.2, level=level)


def _against(level: str, mine: float, other: float) -> Finding:
    text = (
        f"Graph optimization is {level}: {seconds(mine)}, where the same file takes"
        f" {seconds(other)} with all of it, {percent(1 - other / mine)} less."
    )
    return finding("graph_optimization_off", "speed", text, _REMEDY, 1 - other / mine, level=level)


_REMEDY = "Choose the target ort with graph_optimization all."

RULE = Rule(
    id="graph_optimization_off",
    title="Graph optimization is off",
    help=(
        "When a file is loaded, a runtime fuses operators: a convolution with its activation, or a"
        " quantized one with its quantize operators."
    ),
    find=_find,
)
