"""Trainings of a study: the steps of its recipes that train, and the progress of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab import registry
from lab.analysis.training import State, Training, phases_of
from lab.engine import keys
from lab.engine.messages import Failure
from lab.home import home
from lab.spec.recipes import name_of, prefixes
from lab.store import records
from lab.store.blobs import sha256_of
from lab.store.data import data_digest
from lab.store.db import database_url
from lab.types import FINISHED, Recipe, Step, Study, Trial


@dataclass(frozen=True)
class Planned:
    """A step that trains, before anything is known of it.

    Attributes:
        key: of the step in the store; name: of the recipe up to it.
        params: of the step.
    """

    key: str
    name: str
    params: Mapping[str, Any]


@lru_cache(maxsize=64)
def _planned(where: str, study_id: str, count: int) -> tuple[Planned, ...]:
    """Steps of a study's recipes that may train, each once, in the order of its trials. A page that
    watches a study reads them every second.

    Args:
        where: the store; count: trials of the study, which may be extended.
    """
    trials = records.trials(study_id)
    card = records.card_of(study_id)
    if not any(map(_training_steps, trials)) or not Path(card.path).is_file():
        return ()
    source, data = sha256_of(Path(card.path)), data_digest(card)
    planned = (
        Planned(
            _recorded_key(t, s) or keys.step_key(source, s, card, data),
            name_of(Recipe(s)),
            s[-1].params,
        )
        for t in trials
        for s in _training_steps(t)
    )
    return tuple({p.key: p for p in planned}.values())


def _training_steps(trial: Trial) -> list[tuple[Step, ...]]:
    """Chains of a recipe's first steps that end with one that trains."""
    return [steps for steps in prefixes(trial.recipe) if _trains(steps[-1].technique)]


def _recorded_key(trial: Trial, steps: tuple[Step, ...]) -> str | None:
    """The key under which the last of the steps was trained, as the trial recorded it; None before
    it was, and where the record does not say which of several equal techniques it is about.

    The keys of today may be others: they hold versions of packages.
    """
    technique = steps[-1].technique
    training = trial.details.training or ()
    recorded = list(dict.fromkeys(x["key"] for x in training if x["technique"] == technique))
    places = [n for n, step in enumerate(trial.recipe.steps) if step.technique == technique]
    if len(recorded) != len(places):
        return None
    return str(recorded[places.index(len(steps) - 1)])


def _trains(technique: str) -> bool:
    """False of a technique that this lab does not have: the study may come from another one."""
    known = registry.techniques().get(technique)
    return known is not None and known.trains


def trainings(study_id: str) -> tuple[Training, ...]:
    """Progress of the trainings of a study, in the order of its trials; () where no recipe trains.

    Raises:
        UnknownId: there is no such study.
    """
    study, count = records.study(study_id), sum(records.counts(study_id).values())
    planned = _planned(f"{home()} {database_url()}", study_id, count)
    if not planned:
        return ()
    wanted = [p.key for p in planned]
    curves, made, began = (
        records.curves(wanted),
        records.known_steps(wanted),
        records.study_row(study_id).started_at,
    )
    trainings_ = (
        _training(p, curves.get(p.key), made.get(p.key), study, began or 0.0) for p in planned
    )
    return tuple(t for t in trainings_ if t.phases or t.steps)


def _training(
    p: Planned, curve: Mapping[str, Any] | None, made: Any, study: Study, began: float
) -> Training:
    """Progress of one training; without steps and phases where the step turned out to train
    nothing, such as pruning in one go.
    """
    worked = made is not None and not Failure.is_stored_in(made)
    state: State = "waiting"
    if made is not None or study.state in FINISHED:
        state = "done" if worked else "ended"
    elif curve and curve["updated_at"] >= began:
        state = "running"
    phases = phases_of(curve["phases"]) if curve else ()
    steps = 0 if worked and not phases else int(p.params.get("train_steps", 0))
    return Training(p.key, p.name, phases, state, float(p.params.get("train_seconds", 0.0)), steps)
