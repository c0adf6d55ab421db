"""Compositions: chains of stages, each with several techniques to choose from, and every way
through them a recipe.

A stage maps a technique's id to the values of its options that are tried; `NOTHING` stands for
leaving the stage out. What chains share at their beginning (pruned and fine-tuned once, quantized
in four ways) is made once: a step's key is its chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from lab import registry
from lab.errors import InvalidOption, UsageError
from lab.options import grid, validate
from lab.plugs import Technique
from lab.types import Chain, Recipe, Stage, Step

NOTHING = ""


def recipes_of(chain: Chain) -> list[Recipe]:
    """Every way through the chain, in the order of its stages, without the one that does
    nothing.
    """
    ways = product(*(_ways(stage) for stage in chain))
    recipes = [Recipe(tuple(step for step in way if step is not None)) for way in ways]
    return [recipe for recipe in recipes if recipe.steps]


def _ways(stage: Stage) -> list[Step | None]:
    choices: list[Step | None] = []
    for id_, space in stage.items():
        if id_ == NOTHING:
            choices.append(None)
            continue
        technique = registry.technique(id_)
        check_space(technique, space)
        choices += [
            Step(id_, params)
            for params in grid(technique.options, space)
            if technique.valid(params)
        ]
    return choices


def check_chain(chain: Chain) -> Chain:
    """The chain, if all that it names exists.

    Raises:
        UnknownId, InvalidOption: a technique or an option does not, or does not accept a value.
        UsageError: there is nothing in it.
    """
    if not recipes_of(chain):
        raise UsageError(
            "A composition needs a stage with a technique",
            allowed='[{"torch_channel_pruning": {"ratio": [0.3, 0.5]}}, …]',
            given=[dict(stage) for stage in chain],
        )
    return chain


def check_space(technique: Technique, space: Mapping[str, Sequence[Any]]) -> None:
    """Raise InvalidOption unless every option exists and has values to try."""
    validate(technique.options, {}, technique.id)
    known = {option.id for option in technique.options}
    for id_, values in space.items():
        if id_ not in known or not values:
            raise InvalidOption(
                f"{technique.id!r} cannot sweep this option over these values",
                allowed=", ".join(sorted(known)) or "no options",
                given={id_: list(values)},
                remedy="Name an option of the technique and at least one value",
            )


def check_values(technique: Technique, space: Mapping[str, Sequence[Any]]) -> None:
    """Raise InvalidOption unless the options accept these values."""
    for option in technique.options:
        for value in space.get(option.id, ()):
            option.validate(value)


def chain_from_json(value: Any) -> Chain:
    """A chain from a spec's JSON."""
    return tuple(
        {id_: {o: tuple(v) for o, v in (space or {}).items()} for id_, space in stage.items()}
        for stage in value
    )


def preset_chains(techniques: Sequence[Technique], preset: str) -> tuple[Chain, ...]:
    """Compositions that a preset tries with these techniques: pruning, then training, then
    quantization or nothing.

    Each technique tells which of its settings take part (`Technique.composed`); one chain for each
    setting that prunes.
    """
    taking_part = {
        role: [t for t in techniques if t.role == role and t.composed.get(preset)] for role in ROLES
    }
    tune, quantize = (_settings(taking_part[role], preset) for role in ("tune", "quantize"))
    if not tune:
        return ()
    return tuple(
        ({technique.id: _values(params)}, tuning, quantizing)
        for technique in taking_part["prune"]
        for params in technique.composed[preset]
        for tuning in tune
        for quantizing in ({NOTHING: {}, **_merged(quantize)},)
    )


ROLES = ("prune", "tune", "quantize")


def _settings(techniques: Sequence[Technique], preset: str) -> list[Stage]:
    return [{t.id: _values(params)} for t in techniques for params in t.composed[preset]]


def _values(params: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: (value,) for name, value in params.items()}


def _merged(stages: Sequence[Stage]) -> dict[str, Mapping[str, tuple[Any, ...]]]:
    """One stage to choose from; a technique with several settings has the values of all."""
    merged: dict[str, dict[str, tuple[Any, ...]]] = {}
    for stage in stages:
        for id_, space in stage.items():
            known = merged.setdefault(id_, {})
            for option, values in space.items():
                known[option] = tuple(dict.fromkeys((*known.get(option, ()), *values)))
    return dict(merged)
