"""Presets (quick, standard, full): the grid, recipes, compositions and targets that each of them
tries for a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab import registry
from lab.errors import UnknownId
from lab.options import PRESETS
from lab.spec import chains
from lab.spec.plan import star
from lab.spec.recipes import applicable
from lab.types import Chain, ModelCard, Recipe, Step, Target


def check_preset(preset: str) -> str:
    """The preset, if there is one of that name.

    Raises:
        UnknownId: there is not.
    """
    if preset not in PRESETS:
        raise UnknownId.of("preset", preset, PRESETS)
    return preset


def preset_space(
    card: ModelCard, preset: str, runtime_ids: Sequence[str]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The grid that a preset tries: technique -> option -> values."""
    check_preset(preset)
    chosen = [t for t in applicable(card, runtime_ids) if preset in t.presets]
    return {t.id: {o.id: o.values(preset) for o in t.options} for t in chosen}


def preset_recipes(card: ModelCard, preset: str, runtime_ids: Sequence[str]) -> tuple[Recipe, ...]:
    """Recipes that a preset tries beside its grid: one setting at a time, such as other calibration
    items.
    """
    check_preset(preset)
    chosen = [t for t in applicable(card, runtime_ids) if preset in t.presets]
    return tuple(
        Recipe((Step(t.id, dict(params)),)) for t in chosen for params in t.extra.get(preset, ())
    )


def preset_chains(card: ModelCard, preset: str, runtime_ids: Sequence[str]) -> tuple[Chain, ...]:
    """The compositions that a preset tries, see `lab.spec.chains.preset_chains`."""
    return chains.preset_chains(applicable(card, runtime_ids), check_preset(preset))


def preset_targets(preset: str, runtime_ids: Sequence[str] | None = None) -> tuple[Target, ...]:
    """The preset's installed runtimes (or the named ones) with the option values that it tries, see
    `star`.
    """
    check_preset(preset)
    installed = [
        r.id for r in registry.runtimes().values() if r.missing is None and preset in r.presets
    ]
    return tuple(
        Target(runtime.id, params)
        for runtime in map(registry.runtime, runtime_ids or installed)
        for params in star(runtime.options, {o.id: o.values(preset) for o in runtime.options})
    )
