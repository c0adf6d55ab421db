"""Sensitivity studies: the cost of each layer of a trial's recipe, quantized alone and left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lab import registry
from lab.analysis.layer_map import same_layers
from lab.analysis.sensitivity import KIND, REST, Group, changed
from lab.compress.choosing import KEEP_FLOAT, ONLY
from lab.engine import keys
from lab.engine.messages import Built, outcome_from_json
from lab.errors import LabError, UsageError
from lab.store import records
from lab.store.blobs import sha256_of
from lab.store.data import data_digest
from lab.store.layers import layers_of, layers_of_file
from lab.types import Artifact, Layer, ModelCard, Recipe, StudySpec, Trial


def choosing_step(recipe: Recipe) -> int | None:
    """Position of the last step of a recipe that lets layers be chosen, or None."""
    chosen = {KEEP_FLOAT.id, ONLY.id}
    numbers = [n for n, s in enumerate(recipe.steps) if chosen <= _options(s.technique)]
    return numbers[-1] if numbers else None


def _options(technique: str) -> set[str]:
    """Options of a technique; none of a technique that this lab does not have, as in a study of
    another lab.
    """
    known = registry.techniques().get(technique)
    return {o.id for o in known.options} if known else set()


def sensitivity_spec(trial: Trial, spec: StudySpec, card: ModelCard) -> StudySpec:
    """Make the spec of the study that measures the cost of each layer of a trial's recipe.

    Raises:
        UsageError: no step of the recipe lets layers be chosen, or the file that it starts from is
            not in this lab.
    """
    step = choosing_step(trial.recipe)
    if step is None:
        able = [
            t.id
            for t in registry.techniques().values()
            if {KEEP_FLOAT.id, ONLY.id} <= {o.id for o in t.options}
        ]
        raise UsageError(
            "No step of this recipe can leave single layers in float",
            allowed=", ".join(able),
            given=trial.name,
            remedy="Choose a trial that one of these techniques made",
        )
    source = _source(trial, step, card)
    groups = _groups(
        layers_of_file(Path(source.path), source.format, source.sha256), _source_layers(card)
    )
    kept = tuple(trial.recipe.steps[step].params.get(KEEP_FLOAT.id, ()))
    probes = [p for g in groups for p in ({ONLY.id: g.names}, {KEEP_FLOAT.id: (*kept, *g.names)})]
    recipes = [trial.recipe, *(changed(trial.recipe, step, **probe) for probe in probes)]
    about = {
        "kind": KIND,
        "study": trial.study,
        "trial": trial.id,
        "step": step,
        "groups": [asdict(g) for g in groups],
    }
    return replace(
        spec,
        space={},
        recipes=tuple(recipes),
        targets=(trial.target,),
        further_targets=(),
        preset=None,
        about=about,
        search={},
        rounds=5,
    )


def _source(trial: Trial, step: int, card: ModelCard) -> Artifact:
    """The file that a step of the recipe started from."""
    if step == 0:
        path = Path(card.path)
        return Artifact(str(path), card.format, sha256_of(path), path.stat().st_size)
    key = keys.step_key(
        sha256_of(Path(card.path)), trial.recipe.steps[:step], card, data_digest(card)
    )
    known = records.known_step(key)
    built = outcome_from_json(Built, known) if known is not None else None
    if not isinstance(built, Built):
        raise UsageError(
            "The file that this recipe starts from is not in this lab",
            given=trial.name,
            remedy="Run the trial here first: its page has the lines under Reproduce",
        )
    return built.artifact


def _source_layers(card: ModelCard) -> list[Layer]:
    try:
        return layers_of(card)
    except LabError:  # the names of the file itself must do
        return []


def _groups(layers: Sequence[Layer], source: Sequence[Layer]) -> list[Group]:
    """One group for each layer that multiplies, and one for all the others together."""
    labels = same_layers(layers, source)
    groups = [
        Group(layer.name, labels.get(layer.name, layer.name), layer.type, (layer.name,), position)
        for position, layer in enumerate(layers)
        if layer.macs
    ]
    if rest := tuple(layer.name for layer in layers if not layer.macs):
        groups.append(Group(REST, REST, "", rest, len(layers)))
    return groups
