"""Sensitivity of layers: effect of quantizing one layer alone, and of keeping one layer in float.

A study that finds this out says so in its spec: `about = {"kind": "sensitivity", "study", "trial",
"step", "groups": [{"name", "label", "type", "names", "position"}]}`. Its first recipe is the one in
question; the others differ from it in the options `only` and `keep_float` of one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.types import Measurement, Recipe, Step, StudySpec, Trial

KIND = "sensitivity"
REST = "everything else"


@dataclass(frozen=True)
class Group:
    """Layers that are quantized or kept together: one multiplying layer, or all that do not
    multiply.

    Attributes:
        name: as the file's layer table has it; label: as the source model calls it, where that
            could be told.
        names: layers of the file; position: the row of the layer table, in the order of computing.
    """

    name: str
    label: str
    type: str
    names: tuple[str, ...]
    position: int

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Group:
        """Invert `dataclasses.asdict`."""
        return cls(**{**value, "names": tuple(value["names"])})


@dataclass(frozen=True)
class LayerSensitivity:
    """Cost and gain of one group of layers.

    Attributes:
        alone: metric -> Measurement where only this group is quantized; left_out: where only this
            group is not.
        noise: share of the output's power that is error where this group alone is quantized,
            10^(-SQNR/10); 0 where nothing changes, None where the trial failed.
        recovered: share of the recipe's own error that is gone where this group is left in float.
        size_bytes: bytes saved by quantizing it: the file with it in float minus the whole recipe's
            file.
        latency_s: additional time of the file with it in float; negative if float is faster.
        accuracy: change of the accuracy against the float model where it alone is quantized, with a
            paired interval.
        won_back: accuracy that leaving it in float wins back from the whole recipe.
    """

    group: Group
    alone: Mapping[str, Measurement]
    left_out: Mapping[str, Measurement]
    noise: float | None
    recovered: float | None
    size_bytes: float | None
    latency_s: float | None
    accuracy: Measurement | None
    won_back: float | None


@dataclass(frozen=True)
class Sensitivity:
    """Sensitivity of all groups, the most harmful first, and the recipe that they belong to.

    Attributes:
        whole: the trial of the recipe itself, None until it is there.
        baseline: the float trial.
    """

    layers: tuple[LayerSensitivity, ...]
    whole: Trial | None
    baseline: Trial | None


def groups_of(about: Mapping[str, Any]) -> tuple[Group, ...]:
    """Return the groups of a study about sensitivity."""
    return tuple(map(Group.from_json, about.get("groups", ())))


def changed(recipe: Recipe, step: int, **params: Any) -> Recipe:
    """Return the recipe with different options of one step."""
    old = recipe.steps[step]
    return Recipe(
        (
            *recipe.steps[:step],
            Step(old.technique, {**old.params, **params}),
            *recipe.steps[step + 1 :],
        )
    )


def sensitivity(spec: StudySpec, trials: Sequence[Trial]) -> Sensitivity:
    """Return the results so far of a study about sensitivity.

    Args:
        trials: all trials of the study.
    """
    step, by_choice = int(spec.about["step"]), _by_choice(spec, trials)
    kept = tuple(spec.recipes[0].steps[step].params.get("keep_float", ()))
    whole = by_choice.get(((), frozenset(kept)))
    baseline = next((t for t in trials if t.is_baseline), None)
    layers = [
        _of_group(
            group,
            by_choice.get((tuple(sorted(group.names)), frozenset(kept))),
            by_choice.get(((), frozenset({*kept, *group.names}))),
            whole,
        )
        for group in groups_of(spec.about)
    ]
    return Sensitivity(tuple(sorted(layers, key=_harm, reverse=True)), whole, baseline)


def _by_choice(
    spec: StudySpec, trials: Sequence[Trial]
) -> dict[tuple[tuple[str, ...], frozenset[str]], Trial]:
    technique = spec.recipes[0].steps[int(spec.about["step"])].technique
    by_choice = {}
    for trial in trials:
        for step in trial.recipe.steps:
            if step.technique == technique and not step.params.get("wide"):
                only, keep = step.params.get("only", ()), step.params.get("keep_float", ())
                by_choice[tuple(sorted(only)), frozenset(keep)] = trial
    return by_choice


def _of_group(
    group: Group, alone: Trial | None, left_out: Trial | None, whole: Trial | None
) -> LayerSensitivity:
    mine, other = (t.measurements if t else {} for t in (alone, left_out))
    total = whole.measurements if whole else {}
    left, all_ = noise_of(left_out), noise_of(whole)
    return LayerSensitivity(
        group,
        mine,
        other,
        noise_of(alone),
        1 - left / all_ if left is not None and all_ else None,
        _minus(other, total, "size_bytes"),
        _minus(other, total, "latency_s"),
        mine.get("accuracy_change"),
        _minus(other, total, "accuracy_change"),
    )


def noise_of(trial: Trial | None) -> float | None:
    """Return the share of the output power that is error; 0 for the float model's predictions, None
    if unknown.
    """
    if trial is None or not trial.measurements:
        return None
    m = trial.measurements.get("sqnr_db")
    return 10 ** (-m.value / 10) if m else 0.0


def _minus(a: Mapping[str, Measurement], b: Mapping[str, Measurement], metric: str) -> float | None:
    return a[metric].value - b[metric].value if metric in a and metric in b else None


def _harm(layer: LayerSensitivity) -> float:
    """Return the noise of this layer alone; unmeasured layers come last."""
    return -1.0 if layer.noise is None else layer.noise


def mixed_recipes(
    recipe: Recipe,
    step: int,
    ranking: Sequence[LayerSensitivity],
    budget: int,
    option: str = "keep_float",
) -> tuple[Recipe, ...]:
    """Return recipes of mixed precision, greedily: each recipe raises one more layer, the most
    harmful first.

    Two orders take turns: by harm, and by harm for each byte that quantizing the layer saves.

    Args:
        ranking: the most harmful first, as `sensitivity` gives it.
        budget: maximum number of recipes.
        option: "keep_float", or "wide" for 16-bit activations.
    """
    harmful = [layer for layer in ranking if layer.noise]
    per_byte = sorted(
        harmful, key=lambda x: (x.noise or 0.0) / max(x.size_bytes or 0.0, 1.0), reverse=True
    )
    already = tuple(recipe.steps[step].params.get(option, ()))
    by_names: dict[tuple[str, ...], Recipe] = {}
    for count in _steps(len(harmful), budget):
        for order in (harmful, per_byte):
            names = tuple(
                dict.fromkeys(
                    [*already, *(n for layer in order[:count] for n in layer.group.names)]
                )
            )
            by_names.setdefault(tuple(sorted(names)), changed(recipe, step, **{option: names}))
    return tuple(by_names.values())[:budget]


def _steps(layers: int, budget: int) -> list[int]:
    """Return the number of raised layers of each recipe: every number if the budget allows,
    otherwise at growing distances.
    """
    if layers <= budget // 2 or layers <= 2:
        return list(range(1, layers + 1))
    stops = max(budget // 2, 2)
    return sorted({round(layers ** (i / (stops - 1))) for i in range(stops)} | {1})
