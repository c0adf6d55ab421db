"""Sensitivity of a recipe to each layer, and recipes that keep the worst layers in float."""

from __future__ import annotations

from collections.abc import Sequence

from lab.analysis.sensitivity import KIND, Sensitivity, changed, groups_of, mixed_recipes
from lab.analysis.sensitivity import sensitivity as sensitivity_of
from lab.api._studies import card_of, extend, start
from lab.errors import UnknownId, UsageError
from lab.questions import layers as probing
from lab.store import records
from lab.types import Study, Trial


def start_sensitivity(trial_id: str) -> str:
    """Find out what each layer of a trial costs and brings: each is quantized alone, and each alone
    is left in float.

    Returns:
        the id of the study that does it, a new one unless there is one already.

    Raises:
        UsageError: the trial's recipe has no step that lets layers be chosen.
    """
    trial = records.trial(trial_id)
    if (found := sensitivity_study(trial_id)) is not None:
        return found
    spec = probing.sensitivity_spec(trial, records.study(trial.study).spec, card_of(trial.study))
    return start(spec, f"Layer by layer: {trial.name}")


def sensitivity_study(trial_id: str) -> str | None:
    """The study that asks what each layer of a trial costs, or None."""
    alike = (
        s
        for s in records.studies()
        if (s.spec.about.get("kind"), s.spec.about.get("trial")) == (KIND, trial_id)
        and s.state not in ("failed", "cancelled")
    )
    return next((s.id for s in alike), None)


def can_choose_layers(trial: Trial) -> bool:
    """True if a step of the trial's recipe can leave single layers in float."""
    return probing.choosing_step(trial.recipe) is not None


def sensitivity(study_id: str) -> Sensitivity:
    """Results of a sensitivity study so far, the most harmful layer first.

    Raises:
        UsageError: the study is about something else.
    """
    return sensitivity_of(_about_layers(study_id).spec, records.trials(study_id))


def raise_layers(
    study_id: str, layers: Sequence[str], option: str = "keep_float"
) -> tuple[str, ...]:
    """Add the recipe with these layers raised to the study that the question came from: a trial
    beside the others.

    Args:
        study_id: a study about sensitivity.
        layers: names of its groups.
        option: "keep_float", or "wide" for 16-bit activations.

    Returns:
        ids of the trials in the study that the question came from.
    """
    spec = _about_layers(study_id).spec
    groups = {g.name: g for g in groups_of(spec.about)}
    if unknown := [name for name in layers if name not in groups]:
        raise UnknownId.of("layer", unknown[0], groups)
    step, recipe = int(spec.about["step"]), spec.recipes[0]
    names = dict.fromkeys(
        [
            *recipe.steps[step].params.get(option, ()),
            *(n for name in layers for n in groups[name].names),
        ]
    )
    return extend(
        spec.about["study"], [changed(recipe, step, **{option: tuple(names)})], spec.targets
    )


def mixed_precision(study_id: str, budget: int = 12, option: str = "keep_float") -> tuple[str, ...]:
    """Add recipes of mixed precision, found greedily, to the study that the question came from.

    Args:
        study_id: a finished study about sensitivity.
        budget: how many recipes at most.
        option: "keep_float", or "wide" for 16-bit activations.

    Returns:
        ids of the trials.
    """
    spec = _about_layers(study_id).spec
    ranking = sensitivity(study_id).layers
    recipes = mixed_recipes(spec.recipes[0], int(spec.about["step"]), ranking, budget, option)
    if not recipes:
        raise UsageError(
            "No layer of this recipe costs anything that was measured",
            given=study_id,
            remedy="Wait until the study has finished",
        )
    return extend(spec.about["study"], recipes, spec.targets)


def _about_layers(study_id: str) -> Study:
    found = records.study(study_id)
    if found.spec.about.get("kind") != KIND:
        raise UsageError(
            "This study does not ask what each layer costs",
            given=study_id,
            remedy="Start one with: python -m lab sensitivity TRIAL",
        )
    return found
