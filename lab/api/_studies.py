"""Studies: laid out, run, followed, read."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import registry
from lab.analysis.float_agreement import Pair
from lab.analysis.front import front as front_of
from lab.analysis.training import Training
from lab.api._models import model
from lab.api._progress_bar import progress_bar
from lab.api._study_view import Study as StudyView
from lab.api._study_view import Trial as TrialView
from lab.api._training import training_curves
from lab.engine import estimating, searching
from lab.engine.estimating import Estimate
from lab.errors import UsageError
from lab.spec import presets
from lab.spec.plan import plan as plan_of
from lab.spec.reading import check_spec, spec_from_json
from lab.spec.recipes import complete_target, conversion_path, identity, name_of
from lab.store import records
from lab.store.blobs import keep, locate_card
from lab.types import FINISHED, Chain, ModelCard, Recipe, Study, StudySpec, Target, Trial

LONGEST_PAUSE_S, TRAINING_PAUSE_S = 0.2, 5.0


@dataclass(frozen=True)
class Progress:
    """How far a study is; `seconds_left` is None before anything is known, `queue_position` 0 when
    it runs.
    """

    done: int
    total: int
    failed: int
    stage: str
    seconds_left: float | None
    queue_position: int


def parse_target(text: str) -> Target:
    """`ort`, or with options `litert:threads=2,xnnpack=false`, as a complete target.

    Raises:
        UsageError: an unknown runtime or option, or a value that it does not accept.
    """
    runtime, _, rest = text.partition(":")
    pairs = [part.partition("=") for part in rest.split(",") if part]
    return complete_target(Target(runtime, {key.strip(): value.strip() for key, _, value in pairs}))


def preset_space(
    model_id: str, preset: str, runtime_ids: Sequence[str]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The grid of a preset: technique -> option -> values."""
    return presets.preset_space(model(model_id), preset, runtime_ids)


def preset_targets(preset: str, runtime_ids: Sequence[str] | None = None) -> tuple[Target, ...]:
    """The targets of a preset, of all installed runtimes or of the named ones."""
    return presets.preset_targets(preset, runtime_ids)


def preset_recipes(model_id: str, preset: str, runtime_ids: Sequence[str]) -> tuple[Recipe, ...]:
    """What a preset tries beside its grid: one setting at a time, such as other calibration
    items.
    """
    return presets.preset_recipes(model(model_id), preset, runtime_ids)


def preset_chains(model_id: str, preset: str, runtime_ids: Sequence[str]) -> tuple[Chain, ...]:
    """What a preset composes of several techniques, such as prune, fine-tune, quantize; see
    `lab.spec.chains`.
    """
    return presets.preset_chains(model(model_id), preset, runtime_ids)


def make_spec(
    model_id: str,
    preset: str = "quick",
    space: Mapping[str, Any] | None = None,
    targets: Sequence[Target | str] | None = None,
    recipes: Sequence[Recipe] = (),
    chains: Sequence[Chain] | None = None,
    **more: Any,
) -> StudySpec:
    """A complete spec.

    Args:
        model_id: id of a card.
        preset: "quick", "standard" or "full".
        space: technique -> option -> values; None takes the preset's grid of every technique that
            has a path, and what the
            preset tries beside it.
        targets: targets, or strings as `parse_target` reads them; None takes the preset's that the
            model can reach: of each
            runtime the usual one for every variant, the others for each technique as it comes.
        recipes: further recipes.
        chains: compositions, see `lab.spec.chains`; None takes the preset's where `space` is None,
            too.
        more: any further field of `StudySpec`, such as `rounds`, or `search={"trials": 60}` for a
            guided search instead of
            the whole grid, see `lab.spec.search`.

    Raises:
        UsageError: something in it cannot be.
    """
    card = model(model_id)
    presets.check_preset(preset)
    chosen, further = _targets(card, preset, targets)
    runtime_ids = list(dict.fromkeys(t.runtime for t in chosen))
    grid = presets.preset_space(card, preset, runtime_ids) if space is None else space
    extra = presets.preset_recipes(card, preset, runtime_ids) if space is None else ()
    if chains is None:
        chains = presets.preset_chains(card, preset, runtime_ids) if space is None else ()
    value = {
        "metrics": _metrics_of(card),
        "objectives": _objectives_of(card),
        "further_targets": [t.to_json() for t in further],
        **more,
    }
    spec = spec_from_json(
        {
            **StudySpec(
                card.id, grid, (*extra, *recipes), chosen, preset=preset, chains=tuple(chains)
            ).to_json(),
            **value,
        }
    )
    return check_spec(spec)


def _targets(
    card: ModelCard, preset: str, targets: Sequence[Target | str] | None
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Targets of every variant, and further ones."""
    if targets is not None:
        return (
            tuple(parse_target(t) if isinstance(t, str) else complete_target(t) for t in targets),
            (),
        )
    found = [t for t in presets.preset_targets(preset) if _reachable(card, t)]
    usual = {t.runtime: t for t in reversed(found)}
    return tuple(t for t in found if t is usual[t.runtime]), tuple(
        t for t in found if t is not usual[t.runtime]
    )


def _reachable(card: ModelCard, target: Target) -> bool:
    return conversion_path(card.format, registry.runtime(target.runtime).formats) is not None


def _objectives_of(card: ModelCard) -> list[dict[str, str]]:
    """The task's own metric against size and latency."""
    wanted = (registry.task(card.task).primary, "size_bytes", "latency_s")
    return [{"metric": id_, "direction": registry.metric(id_).direction} for id_ in wanted]


def _metrics_of(card: ModelCard) -> list[str]:
    return sorted(m.id for m in registry.metrics().values() if not m.tasks or card.task in m.tasks)


def estimate(spec: StudySpec) -> Estimate:
    """How many trials a spec comes to, how many are cached, and about how long the rest takes."""
    return estimating.estimate(spec, model(spec.model))


def ensure_engine() -> None:
    """Run queued and interrupted studies in the background of this process, unless another one
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
    first = [
        t for t in plan.trials if t.is_baseline or not spec.search
    ]  # what is searched is added as it is chosen
    source = keep(Path(card.path), card.format)
    id_ = uuid.uuid4().hex[:12]
    rows = [
        Trial(f"{id_}-{n:04d}", id_, n, t.name, t.recipe, t.target, is_baseline=t.is_baseline)
        for n, t in enumerate(first)
    ]
    records.add_study(
        Study(id_, card.id, "queued", spec, title[:200]),
        replace(card, path=source.path),
        rows,
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
    planned = [
        t for t in plan_of(check_spec(spec), card).trials if not t.is_baseline or not recipes
    ]
    if not planned:
        raise UsageError(
            "None of these recipes leads to the study's targets",
            given=[name_of(r) for r in recipes],
            remedy="Name a target that runs what the recipes make",
        )
    there = records.trials(study_id)
    known = {identity(t.recipe, t.target): t.id for t in there}
    wanted = {identity(t.recipe, t.target): t for t in planned}
    fresh = [t for key, t in wanted.items() if key not in known]
    rows = [
        Trial(f"{study_id}-{n:04d}", study_id, n, t.name, t.recipe, t.target)
        for n, t in enumerate(fresh, 1 + max((t.position for t in there), default=-1))
    ]
    if rows:
        added = tuple(r for r in recipes if r not in study.spec.recipes)
        records.extend_study(
            study_id, replace(study.spec, recipes=(*study.spec.recipes, *added)), rows
        )
        ensure_engine()
    made = dict(zip((k for k in wanted if k not in known), (row.id for row in rows), strict=True))
    return tuple({**known, **made}[key] for key in wanted)


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
            is told of the progress.
        on_training: called every few seconds with all trainings of the study, where it has any.
    """
    bar = None if on_progress else progress_bar(show_progress)
    on_progress = on_progress or bar
    told, shown, pause, looked = 0.0, -1, 0.005, time.monotonic()
    while (found := records.study(study_id)).state not in FINISHED:
        if on_progress and found.revision != shown and time.monotonic() - told > 0.5:
            on_progress(progress(study_id))
            told, shown = time.monotonic(), found.revision
        if on_training and time.monotonic() - looked > TRAINING_PAUSE_S:
            on_training(training_curves(study_id))
            looked = time.monotonic()
        time.sleep(pause := min(LONGEST_PAUSE_S, 1.2 * pause))
    if bar:
        bar(progress(study_id))
        bar.close()
    return StudyView.of(found)


def cancel(study_id: str) -> None:
    """Stop a study: what runs is stopped, what is finished stays."""
    found = records.study(study_id)
    if found.state not in FINISHED:
        records.update_study(study_id, cancel_requested=True)


def resume(study_id: str) -> None:
    """Run again what failed, was cancelled or is missing in a study; what is finished stays."""
    if records.study(study_id).state in ("queued", "running"):
        ensure_engine()
        return
    card = locate_card(records.study_row(study_id).card)
    if not Path(card["path"]).is_file():
        raise _not_here(card["id"])
    records.reset_unfinished(study_id)
    ensure_engine()


def studies() -> list[StudyView]:
    """All studies, newest first."""
    return [StudyView.of(found) for found in records.studies()]


def study(id_: str) -> StudyView:
    """One study; its `revision` rises with each change. It has figures and tables of its own, such
    as `study.plot()`.

    Raises:
        UnknownId: there is none of that id.
    """
    return StudyView.of(records.study(id_))


def trials(study_id: str) -> list[TrialView]:
    """The trials of a study, in the order of its plan."""
    found = records.trials(study_id)
    plain, seen = _seen.get(study_id, ((), ()))
    if (
        found and len(plain) == len(found) and plain[0] is found[0]
    ):  # read once for each revision, so they are all the same
        return list(seen)
    made = [TrialView.of(trial) for trial in found]
    _seen[study_id] = (found, made)
    while len(_seen) > records.KEPT_STUDIES:
        _seen.pop(next(iter(_seen)), None)
    return list(made)


_seen: dict[str, tuple[Sequence[Trial], Sequence[TrialView]]] = {}


def front(study_id: str) -> tuple[str, ...]:
    """Ids of the study's non-dominated trials."""
    return front_of(trials(study_id), study(study_id).spec.objectives)


def progress(study_id: str) -> Progress:
    """How far a study is."""
    row, counts = records.study_row(study_id), records.counts(study_id)
    done = sum(counts.get(state, 0) for state in FINISHED)
    ahead = [s.id for s in reversed(records.studies(("queued", "running")))]
    position = ahead.index(study_id) if row.state == "queued" and study_id in ahead else 0
    total, seconds_left = sum(counts.values()), row.seconds_left
    if row.spec.get("search") and row.state not in FINISHED:
        total, seconds_left = searching.outlook(study_id, total, seconds_left)
    return Progress(done, total, counts.get("failed", 0), row.stage, seconds_left, position)


def float_agreement(study_id: str) -> tuple[Pair, ...]:
    """How far the float model answers alike in the runtimes of a study, pair by pair, the least
    alike first.
    """
    from lab.engine.float_agreement import float_agreement as compare

    return compare(card_of(study_id), records.trials(study_id))


def environment(id_: str) -> dict[str, Any]:
    """The machine and versions behind an environment's id."""
    return records.environment(id_)


def jobs(study_id: str | None = None) -> list[dict[str, Any]]:
    """When and where each job ran, of one study or of all."""
    return records.jobs(study_id)


def card_of(study_id: str) -> ModelCard:
    """The card that a study was made with; the model itself may be gone from this lab."""
    return ModelCard.from_json(locate_card(records.study_row(study_id).card))


def measuring_seconds(study_id: str) -> float:
    """Seconds that a study spent measuring latency and memory, while nothing else of the lab
    ran.
    """
    return records.measuring_seconds(study_id)
