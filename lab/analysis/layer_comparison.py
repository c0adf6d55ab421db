"""Files and times of several trials, layer by layer, under the names of the source model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.analysis.layer_map import multiplying, same_layers
from lab.evidence import Anatomy, Kind, OperatorFacts, OperatorTime, Profile
from lab.types import Layer

_RENAMED = re.compile(r"(/WithoutBiases|_quant|_Q\d+)$")
"""Suffixes that runtimes append to the name of a layer."""


@dataclass(frozen=True)
class Evidence:
    """Evidence about the file and the call of one trial; either may be None."""

    anatomy: Anatomy | None = None
    profile: Profile | None = None


@dataclass(frozen=True)
class LayerCell:
    """One layer of the source model in one trial.

    Attributes:
        precision: data type of its computation, "" if unknown; stored_as: data type of its weights.
        time_s: seconds in one call; None where the profile does not tell it apart.
        weight_bytes: bytes of its weights in the file; None without weights.
    """

    precision: str = ""
    stored_as: str = ""
    time_s: float | None = None
    weight_bytes: int | None = None


@dataclass(frozen=True)
class LayerComparison:
    """Layers of several trials side by side.

    Attributes:
        layers: name -> one cell a trial, None where its file has no layer that can be told to be
            the same; in the source model's order.
        types: name -> type in the source model.
        rest: for each trial, kind -> seconds of the operators that belong to no such layer.
        profiled, looked_into: for each trial whether there is a profile, and an anatomy.
    """

    layers: Mapping[str, tuple[LayerCell | None, ...]]
    types: Mapping[str, str]
    rest: tuple[Mapping[Kind, float], ...]
    profiled: tuple[bool, ...] = ()
    looked_into: tuple[bool, ...] = ()
    unmatched: tuple[int, ...] = field(default=())


def compare_layers(trials: Sequence[Evidence], source: Sequence[Layer] = ()) -> LayerComparison:
    """Match the layers of several trials.

    Args:
        source: the source model's layers; without them the first trial's own names are used.
    """
    named = multiplying(source) or multiplying(
        _layers_of(next((t.anatomy for t in trials if t.anatomy), None))
    )
    cells, rest, unmatched = [], [], []
    for trial in trials:
        mine = _layers_of(trial.anatomy)
        names = same_layers(mine, named)
        cells.append(_cells(trial, names))
        rest.append(_rest(trial.profile, names))
        unmatched.append(len(multiplying(mine)) - len(names))
    layers = {layer.name: tuple(c.get(layer.name) for c in cells) for layer in named}
    return LayerComparison(
        layers,
        {x.name: x.type for x in named},
        tuple(rest),
        tuple(t.profile is not None for t in trials),
        tuple(t.anatomy is not None for t in trials),
        tuple(unmatched),
    )


def _layers_of(anatomy: Anatomy | None) -> list[Layer]:
    """Return the operators of a file as layers that can be matched."""
    operators = anatomy.operators if anatomy else ()
    return [Layer(o.name, o.type, (), o.weights, o.macs, 0) for o in operators]


def _cells(trial: Evidence, names: Mapping[str, str]) -> dict[str, LayerCell]:
    """Return source name -> layer of this trial."""
    facts = {o.name: o for o in trial.anatomy.operators} if trial.anatomy else {}
    timed: dict[str, list[OperatorTime]] = {}
    for operator in trial.profile.operators if trial.profile else ():
        if name := _own_name(operator, names):
            timed.setdefault(name, []).append(operator)
    return {source: _cell(facts[own], timed.get(own, [])) for own, source in names.items()}


def _own_name(operator: OperatorTime, names: Mapping[str, str]) -> str:
    """Return the file's name of the layer that an operator of a profile belongs to; "" for any
    other operator.
    """
    candidates = (operator.layer, _RENAMED.sub("", operator.layer))
    return next((name for name in candidates if name in names), "")


def _cell(facts: OperatorFacts, timed: Sequence[OperatorTime]) -> LayerCell:
    profiled = next((o.precision for o in timed if o.kind == "compute" and o.precision), "")
    seconds = sum(o.time_s for o in timed) if timed else None
    return LayerCell(
        profiled or facts.precision,
        facts.weight_dtype,
        seconds,
        facts.weight_bytes if facts.weights else None,
    )


def _rest(profile: Profile | None, names: Mapping[str, str]) -> dict[Kind, float]:
    """Return kind -> seconds of operators outside all layers that multiply."""
    seconds: dict[Kind, float] = {}
    for operator in profile.operators if profile else ():
        if not _own_name(operator, names):
            seconds[operator.kind] = seconds.get(operator.kind, 0.0) + operator.time_s
    return seconds
