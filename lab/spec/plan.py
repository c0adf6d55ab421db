"""The plan of a study: every recipe of its spec on every target that the recipe can reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab import registry
from lab.errors import NoPath, UsageError
from lab.options import Option, grid
from lab.spec.chains import check_space, recipes_of
from lab.spec.recipes import (
    complete,
    complete_step,
    complete_target,
    identity,
    is_conversion_only,
    name_of,
)
from lab.types import ModelCard, Recipe, Step, StudySpec, Target


@dataclass(frozen=True)
class PlannedTrial:
    """A complete recipe on a target."""

    name: str
    recipe: Recipe
    target: Target
    is_baseline: bool


@dataclass(frozen=True)
class Plan:
    """Trials of a spec, and the combinations that have no path, each with its reason."""

    trials: tuple[PlannedTrial, ...]
    skipped: tuple[str, ...] = ()


def plan(spec: StudySpec, card: ModelCard) -> Plan:
    """Lay out a spec's trials: every recipe on every target that it can reach, the float baseline
    first.

    Raises:
        UsageError: nothing can be run.
    """
    trials: dict[str, PlannedTrial] = {}
    skipped: list[str] = []
    for target, recipes in _layout(spec):
        for recipe in recipes:
            try:
                trial = _planned(card, recipe, target)
            except NoPath as error:
                whole = Recipe(tuple(map(complete_step, recipe.steps)))
                skipped.append(f"{name_of(whole)} on {target.runtime}: {error}")
            else:
                trials.setdefault(identity(trial.recipe, target), trial)
    if not trials:
        raise UsageError(
            "Nothing can be run",
            given=skipped[0] if skipped else "no target",
            remedy="Name a target that the model can be converted for",
        )
    return Plan(tuple(trials.values()), tuple(skipped))


def _layout(spec: StudySpec) -> Iterator[tuple[Target, Sequence[Recipe]]]:
    """Each target with what runs on it, the float model first."""
    composed = (recipe for chain in spec.chains for recipe in recipes_of(chain))
    everything = (Recipe(), *spec.recipes, *_grid_recipes(spec), *composed)
    as_they_come = (Recipe(), *(Recipe((Step(id_),)) for id_ in spec.space))
    yield from ((complete_target(target), everything) for target in spec.targets)
    yield from ((complete_target(target), as_they_come) for target in spec.further_targets)


def _planned(card: ModelCard, recipe: Recipe, target: Target) -> PlannedTrial:
    done = complete(card.format, recipe, target)
    return PlannedTrial(name_of(done), done, target, is_conversion_only(done))


def _grid_recipes(spec: StudySpec) -> list[Recipe]:
    recipes = []
    for id_, space in spec.space.items():
        technique = registry.technique(id_)
        check_space(technique, space)
        recipes += [
            Recipe((Step(id_, p),)) for p in grid(technique.options, space) if technique.valid(p)
        ]
    return recipes


def star(options: Sequence[Option], space: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The first value of each option, then each other value, one at a time: every variant runs on
    every target, so that
    their combinations would multiply the work of a whole sweep.
    """
    usual = grid(options, {id_: values[:1] for id_, values in space.items()})[0]
    others = (
        grid(options, {**{k: (v,) for k, v in usual.items()}, id_: values[1:]})
        for id_, values in space.items()
    )
    return [usual, *(params for varied in others for params in varied)]
