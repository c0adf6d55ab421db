"""Studies that teach: what pruning costs, and whether the order of steps matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lab.analysis.pruning import KIND, Lesson, lesson
from lab.api._models import model
from lab.api._specs import make_spec
from lab.api._studies import extend
from lab.errors import UsageError
from lab.questions import lessons
from lab.store import records
from lab.types import StudySpec, Trial


def can_prune(model_id: str) -> bool:
    """True if `pruning_spec` can be made of a model: it was added in the format of PyTorch or
    Keras.
    """
    return lessons.can_prune(model(model_id))


def pruning_spec(
    model_id: str,
    shares: Sequence[float] = lessons.SHARES,
    steps: int = lessons.STEPS,
    runtime: str = "ort",
    **more: Any,
) -> StudySpec:
    """The spec of a study that shows what pruning costs: whole channels against single weights,
    with and without fine-tuning.

    Args:
        shares: of the weights that go, each a number between 0 and 1.
        steps: of each fine-tuning.
        runtime: where all of it runs.
        more: further fields of `StudySpec`, such as `rounds`.

    Raises:
        UsageError: the model cannot be pruned and trained here, or a number is not possible.
    """
    return _spec(model_id, lessons.pruning_lesson(model(model_id), shares, steps, runtime), more)


def order_spec(
    model_id: str, ratio: float = 0.5, steps: int = 200, runtime: str = "ort", **more: Any
) -> StudySpec:
    """The spec of a study that shows whether order matters: channels pruned, and the rest
    fine-tuned, before quantization-aware
    training or after it.

    Args:
        ratio: share of channels that goes.
        steps: of each training.
        runtime, more: as in `pruning_spec`.

    Raises:
        UsageError: the model cannot be pruned and trained here, or a number is not possible.
    """
    return _spec(model_id, lessons.order_lesson(model(model_id), ratio, steps, runtime), more)


def _spec(model_id: str, layout: lessons.Layout, more: dict[str, Any]) -> StudySpec:
    given = {
        "space": {},
        "chains": layout.chains,
        "recipes": layout.recipes,
        "targets": [layout.target],
        "about": dict(layout.about),
    }
    return replace(make_spec(model_id, **{**given, **more}), preset=None)


def pruning(study_id: str) -> Lesson:
    """Results of a pruning study so far.

    Raises:
        UsageError: the study is about something else.
    """
    found = records.study(study_id)
    if found.spec.about.get("kind") != KIND:
        raise UsageError(
            "This study does not ask what pruning costs",
            given=study_id,
            remedy="Start one with: python -m lab pruning MODEL",
        )
    return lesson(found.spec.about, records.trials(study_id), found.spec.objectives[0].metric)


def can_reorder(trial: Trial) -> bool:
    """True if two steps of a trial's recipe can change places."""
    return bool(lessons.swapped(trial.recipe))


def reorder(trial_id: str) -> tuple[str, ...]:
    """Add a trial's recipe with two of its steps exchanged to its study, on the trial's target.

    Returns:
        ids of the trials.

    Raises:
        UsageError: no two steps of it can change places.
    """
    trial = records.trial(trial_id)
    recipes = lessons.swapped(trial.recipe)
    if not recipes:
        raise UsageError(
            "No two steps of this recipe can change places",
            given=trial.name,
            allowed="two that prune or train, one after the other",
        )
    return extend(trial.study, recipes, [trial.target])
