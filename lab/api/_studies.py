"""Studies: start, follow, extend and read them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.analysis.float_agreement import Pair
from lab.analysis.front import front as front_of
from lab.analysis.training import Training
from lab.api._models import model
from lab.api._progress import Progress, progress
from lab.api._progress_bar import progress_bar
from lab.api._specs import make_spec
from lab.api._study_view import Study as StudyView
from lab.api._study_view import Trial as TrialView
from lab.api._training import training_curves
from lab.errors import UsageError
from lab.spec.plan import PlannedTrial
from lab.spec.plan import plan as plan_of
from lab.spec.reading import check_spec, spec_from_json
from lab.spec.recipes import identity, name_of
from lab.store import records
from lab.store.blobs import keep
from lab.types import FINISHED, ModelCard, Recipe, Study, StudySpec, Target, Trial

LONGEST_PAUSE_S, TRAINING_PAUSE_S = 0.2, 5.0


def ensure_engine() -> None:
    """Run queued and interrupted studies in the background of this process, unless another process
    does.
    """
    from lab.engine.host import ensure_engine as ensure

    ensure()


def start(spec: StudySpec, title: str = "", *, remeasure: bool = False) -> str:
    """Queue a study and see to it that an engine runs it.

    Returns:
        the study's id; the work goes on in the background.

    Raises:
        UsageError: nothing in the spec can be run.
    """
    card = model(spec.model)
    plan = plan_of(spec, card)
    # trials of a search are added as they are chosen
    first = [t for t in plan.trials if t.is_baseline or not spec.search]
    source = keep(Path(card.path), card.format)
    id_ = uuid.uuid4().hex[:12]
    records.add_study(
        Study(id_, card.id, "queued", spec, title[:200]),
        replace(card, path=source.path),
        _rows(id_, first, 0),
        remeasure=remeasure,
    )
    ensure_engine()
    return id_


def extend(
    study_id: str, recipes: Sequence[Recipe], targets: Sequence[Target] | None = None
) -> tuple[str, ...]:
    """Add recipes to a study; what it has already is neither added nor run again.

    Args:
        targets: where they run; None means all targets of the study.

    Returns:
        ids of the trials that the recipes are, new or not; the work goes on in the background.

    Raises:
        UsageError: a recipe leads to none of the targets, or the study's model is not in this lab.
    """
    study, card = records.study(study_id), card_of(study_id)
    if not Path(card.path).is_file():
        raise _not_here(card.id)
    spec = replace(
        study.spec,
        space={},
        recipes=tuple(recipes),
        targets=tuple(targets or study.spec.targets),
        further_targets=(),
    )
    wanted = {identity(t.recipe, t.target): t for t in _planned(spec, card)}
    there = records.trials(study_id)
    known = {identity(t.recipe, t.target): t.id for t in there}
    fresh = {key: t for key, t in wanted.items() if key not in known}
    rows = _rows(study_id, list(fresh.values()), 1 + max((t.position for t in there), default=-1))
    if rows:
        added = tuple(r for r in recipes if r not in study.spec.recipes)
        records.extend_study(
            study_id, replace(study.spec, recipes=(*study.spec.recipes, *added)), rows
        )
        ensure_engine()
    ids = known | dict(zip(fresh, (row.id for row in rows), strict=True))
    return tuple(ids[key] for key in wanted)


def _planned(spec: StudySpec, card: ModelCard) -> list[PlannedTrial]:
    """Trials of the spec's recipes, without the baselines that the study has already."""
    planned = plan_of(check_spec(spec), card).trials
    kept = [t for t in planned if not t.is_baseline or not spec.recipes]
    if not kept:
        raise UsageError(
            "None of these recipes leads to the study's targets",
            given=[name_of(r) for r in spec.recipes],
            remedy="Name a target that runs what the recipes make",
        )
    return kept


def _rows(study_id: str, planned: Sequence[PlannedTrial], start: int) -> list[Trial]:
    return [
        Trial(
            f"{study_id}-{n:04d}",
            study_id,
            n,
            t.name,
            t.recipe,
            t.target,
            is_baseline=t.is_baseline,
        )
        for n, t in enumerate(planned, start)
    ]


def _not_here(model_id: str) -> UsageError:
    return UsageError(
        "This study's model file is not in this lab",
        given=model_id,
        remedy="It was imported: add the model with `python -m lab add` and sweep it here",
    )


def sweep(
    model_id: str | StudySpec | Mapping[str, Any],
    preset: str = "quick",
    *,
    title: str = "",
    remeasure: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    show_progress: bool | None = None,
    **spec: Any,
) -> StudyView:
    """Run a study to its end.

    Args:
        model_id, preset, spec: as in `make_spec`; or one whole spec, also as JSON values, instead
            of all of them.
        on_progress, show_progress: as in `wait`.

    Returns:
        the finished study, with its figures and tables: `study.plot()`, `study.table()`,
        `study.front()`, `study.pick()`.

    Raises:
        UsageError: something in the spec cannot be, or nothing of it can be run.
    """
    whole = (
        make_spec(model_id, preset, **spec) if isinstance(model_id, str) else _whole(model_id, spec)
    )
    return wait(start(whole, title, remeasure=remeasure), on_progress, show_progress=show_progress)


def _whole(spec: StudySpec | Mapping[str, Any], more: Mapping[str, Any]) -> StudySpec:
    if more:
        raise UsageError(
            "A whole spec needs nothing beside it",
            given=sorted(more),
            remedy="Change it in the spec",
        )
    return check_spec(spec if isinstance(spec, StudySpec) else spec_from_json(dict(spec)))


def wait(
    study_id: str,
    on_progress: Callable[[Progress], None] | None = None,
    on_training: Callable[[Sequence[Training]], None] | None = None,
    *,
    show_progress: bool | None = None,
) -> StudyView:
    """Wait until a study has ended.

    Args:
        on_progress: called about once a second, where something has changed.
        show_progress: whether to show a bar; None means in IPython and Jupyter, where nothing else
            shows the progress.
        on_training: called every few seconds with all trainings of the study, where it has any.
    """
    bar = None if on_progress else progress_bar(show_progress)
    on_progress = on_progress or bar
    reported_at, shown, pause, looked = 0.0, -1, 0.005, time.monotonic()
    while (study := records.study(study_id)).state not in FINISHED:
        if on_progress and study.revision != shown and time.monotonic() - reported_at > 0.5:
            on_progress(progress(study_id))
            reported_at, shown = time.monotonic(), study.revision
        if on_training and time.monotonic() - looked > TRAINING_PAUSE_S:
            on_training(training_curves(study_id))
            looked = time.monotonic()
        time.sleep(pause := min(LONGEST_PAUSE_S, 1.2 * pause))
    if bar:
        bar(progress(study_id))
        bar.close()
    return StudyView.of(study)


def cancel(study_id: str) -> None:
    """Stop a study: what runs is stopped, what is finished stays."""
    study = records.study(study_id)
    if study.state not in FINISHED:
        records.update_study(study_id, cancel_requested=True)


def resume(study_id: str) -> None:
    """Run again what failed, was cancelled or is missing in a study; what is finished stays."""
    if records.study(study_id).state in ("queued", "running"):
        ensure_engine()
        return
    card = card_of(study_id)
    if not Path(card.path).is_file():
        raise _not_here(card.id)
    records.reset_unfinished(study_id)
    ensure_engine()


def studies() -> list[StudyView]:
    """List all studies, newest first."""
    return [StudyView.of(study) for study in records.studies()]


def study(id_: str) -> StudyView:
    """One study; its `revision` rises with each change. It has figures and tables of its own, such
    as `study.plot()`.

    Raises:
        UnknownId: there is none with that id.
    """
    return StudyView.of(records.study(id_))


def trials(study_id: str) -> list[TrialView]:
    """The trials of a study, in the order of its plan."""
    return records.trials_as(study_id, TrialView.of)


def front(study_id: str) -> tuple[str, ...]:
    """Ids of the study's non-dominated trials."""
    return front_of(trials(study_id), study(study_id).spec.objectives)


def float_agreement(study_id: str) -> tuple[Pair, ...]:
    """Agreement of the float model's predictions between the runtimes of a study, pair by pair, the
    lowest first.
    """
    from lab.engine.float_agreement import float_agreement as compare

    return compare(card_of(study_id), records.trials(study_id))


def environment(id_: str) -> dict[str, Any]:
    """The machine and versions behind an environment's id."""
    return records.environment(id_)


def jobs(study_id: str | None = None) -> list[dict[str, Any]]:
    """Log of jobs, of one study or of all: when and where each of them ran."""
    return records.jobs(study_id)


def card_of(study_id: str) -> ModelCard:
    """The card that a study was made with; the model itself may be gone from this lab."""
    return records.card_of(study_id)


def measuring_seconds(study_id: str) -> float:
    """Seconds that a study spent measuring latency and memory, while nothing else of the lab
    ran.
    """
    return records.measuring_seconds(study_id)
