"""The public API: the same for pages, command line and Jupyter. Import it as `import lab`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import probing, registry
from lab import recipe as recipes_
from lab.analysis import scaling as scaling_
from lab.analysis.differences import Difference, difference
from lab.analysis.faithful import Pair
from lab.analysis.front import baseline_of
from lab.analysis.front import front as front_of
from lab.analysis.sensitivity import KIND, Sensitivity, changed, groups_of, mixed_recipes
from lab.analysis.sensitivity import sensitivity as sensitivity_of
from lab.engine import estimating
from lab.engine.doctor import REPEAT, SelfTest
from lab.engine.estimating import Estimate
from lab.errors import LabError, UnknownId, UsageError
from lab.evidence import Anatomy, Finding, Profile
from lab.measure.check import Check
from lab.plugs import Dataset, Metric, Provider, Rule, Runtime, Task, Technique, Training
from lab.store import records
from lab.store.blobs import keep, locate_card
from lab.store.data import FROM_DISK
from lab.store.db import database_url
from lab.store.examples import Examples, examples_of
from lab.store.home import folder as home_folder
from lab.store.home import home
from lab.store.layers import layers_of
from lab.training import Trained
from lab.types import FINISHED, Layer, Measurement, ModelCard, Recipe, Study, StudySpec, Target, Trial

LONGEST_PAUSE_S = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a study is; `seconds_left` is None before anything is known, `queue_position` 0 when it runs."""

    done: int
    total: int
    failed: int
    stage: str
    seconds_left: float | None
    queue_position: int


# --- what there is -----------------------------------------------------------------------------------------------------


def models() -> dict[str, ModelCard]:
    """Every model that can be picked: the samples and those added from disk."""
    return {**registry.sample_cards(), **records.added_models()}


def model(id_: str) -> ModelCard:
    """One model's card.

    Raises:
        UnknownId: there is none of that id.
    """
    known = models()
    if id_ not in known:
        raise UnknownId.of("model", id_, known, "List them with: python -m lab models")
    return known[id_]


def available_techniques() -> dict[str, Technique]:
    """Every technique by id."""
    return registry.techniques()


def available_runtimes() -> dict[str, Runtime]:
    """Every runtime by id."""
    return registry.runtimes()


def execution_providers(runtime_id: str) -> tuple[Provider, ...]:
    """What could compute a runtime's operators, each with why it can or cannot be used here."""
    from lab.engine.providers import providers

    return providers(runtime_id)


def available_metrics() -> dict[str, Metric]:
    """Every metric by id."""
    return registry.metrics()


def available_tasks() -> dict[str, Task]:
    """Every task by id."""
    return registry.tasks()


def available_rules() -> dict[str, Rule]:
    """Every rule that explains trials by id."""
    return registry.rules()


def primary(card: ModelCard) -> Measurement | None:
    """What a card says of its model in its task's own metric, such as accuracy or AUC; None where nobody measured it."""
    return card.baseline.get(registry.task(card.task).primary)


def available_datasets() -> dict[str, Dataset]:
    """Every data set by id."""
    return registry.datasets()


# --- planning ------------------------------------------------------------------------------------------------------------


def parse_target(text: str) -> Target:
    """`ort`, or with options `litert:threads=2,xnnpack=false`, as a complete target.

    Raises:
        UsageError: an unknown runtime or option, or a value that it does not accept.
    """
    runtime, _, rest = text.partition(":")
    pairs = [part.partition("=") for part in rest.split(",") if part]
    return recipes_.complete_target(Target(runtime, {key.strip(): value.strip() for key, _, value in pairs}))


def applicable_techniques(model_id: str, runtime_ids: Sequence[str]) -> list[Technique]:
    """The techniques, other than conversions, that lead from this model to one of these runtimes."""
    return recipes_.applicable(model(model_id), runtime_ids)


def preset_space(model_id: str, preset: str, runtime_ids: Sequence[str]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The grid of a preset: technique -> option -> values."""
    return recipes_.preset_space(model(model_id), preset, runtime_ids)


def preset_targets(preset: str, runtime_ids: Sequence[str] | None = None) -> tuple[Target, ...]:
    """The targets of a preset, of all installed runtimes or of the named ones."""
    return recipes_.preset_targets(preset, runtime_ids)


def preset_recipes(model_id: str, preset: str, runtime_ids: Sequence[str]) -> tuple[Recipe, ...]:
    """What a preset tries beside its grid: one setting at a time, such as other calibration items."""
    return recipes_.preset_recipes(model(model_id), preset, runtime_ids)


def make_spec(model_id: str, preset: str = "quick", space: Mapping[str, Any] | None = None,
              targets: Sequence[Target | str] | None = None, recipes: Sequence[Recipe] = (), **more: Any) -> StudySpec:  # fmt: skip
    """A complete spec.

    Args:
        model_id: id of a card.
        preset: "quick", "standard" or "full".
        space: technique -> option -> values; None takes the preset's grid of every technique that has a path, and what the
            preset tries beside it.
        targets: targets, or strings as `parse_target` reads them; None takes the preset's that the model can reach: of each
            runtime the usual one for every variant, the others for each technique as it comes.
        recipes: further recipes.
        more: any further field of `StudySpec`, such as `rounds`.

    Raises:
        UsageError: something in it cannot be.
    """
    card = model(model_id)
    recipes_.check_preset(preset)
    chosen, further = _targets(card, preset, targets)
    runtime_ids = list(dict.fromkeys(t.runtime for t in chosen))
    grid = recipes_.preset_space(card, preset, runtime_ids) if space is None else space
    extra = recipes_.preset_recipes(card, preset, runtime_ids) if space is None else ()
    value = {"metrics": _metrics_of(card), "objectives": _objectives_of(card),
             "further_targets": [t.to_json() for t in further], **more}  # fmt: skip
    spec = recipes_.spec_from_json(
        {**StudySpec(card.id, grid, (*extra, *recipes), chosen, preset=preset).to_json(), **value}
    )
    return recipes_.check_spec(spec)


def _targets(
    card: ModelCard, preset: str, targets: Sequence[Target | str] | None
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Targets of every variant, and further ones."""
    if targets is not None:
        return tuple(parse_target(t) if isinstance(t, str) else recipes_.complete_target(t) for t in targets), ()
    found = [t for t in recipes_.preset_targets(preset) if _reachable(card, t)]
    usual = {t.runtime: t for t in reversed(found)}
    return tuple(t for t in found if t is usual[t.runtime]), tuple(t for t in found if t is not usual[t.runtime])


def _reachable(card: ModelCard, target: Target) -> bool:
    return recipes_.conversion_path(card.format, registry.runtime(target.runtime).formats) is not None


def _objectives_of(card: ModelCard) -> list[dict[str, str]]:
    """The task's own metric against size and latency."""
    wanted = (registry.task(card.task).primary, "size_bytes", "latency_s")
    return [{"metric": id_, "direction": registry.metric(id_).direction} for id_ in wanted]


def _metrics_of(card: ModelCard) -> list[str]:
    return sorted(m.id for m in registry.metrics().values() if not m.tasks or card.task in m.tasks)


def estimate(spec: StudySpec) -> Estimate:
    """How many trials a spec comes to, how many are cached, and about how long the rest takes."""
    return estimating.estimate(spec, model(spec.model))


# --- running -------------------------------------------------------------------------------------------------------------


def ensure_engine() -> None:
    """Run queued and interrupted studies in the background of this process, unless another one does."""
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
    plan = recipes_.plan(spec, card)
    source = keep(Path(card.path), card.format)
    id_ = uuid.uuid4().hex[:12]
    rows = [
        Trial(f"{id_}-{n:04d}", id_, n, t.name, t.recipe, t.target, is_baseline=t.is_baseline)
        for n, t in enumerate(plan.trials)
    ]
    records.add_study(
        Study(id_, card.id, "queued", spec, title[:200]), replace(card, path=source.path), rows, remeasure=remeasure
    )
    ensure_engine()
    return id_


def extend(study_id: str, recipes: Sequence[Recipe], targets: Sequence[Target] | None = None) -> tuple[str, ...]:
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
        study.spec, space={}, recipes=tuple(recipes), targets=tuple(targets or study.spec.targets), further_targets=()
    )
    planned = [t for t in recipes_.plan(recipes_.check_spec(spec), card).trials if not t.is_baseline or not recipes]
    if not planned:
        raise UsageError("None of these recipes leads to the study's targets", given=[recipes_.name_of(r) for r in recipes],
                         remedy="Name a target that runs what the recipes make")  # fmt: skip
    there = records.trials(study_id)
    known = {recipes_.identity(t.recipe, t.target): t.id for t in there}
    wanted = {recipes_.identity(t.recipe, t.target): t for t in planned}
    fresh = [t for key, t in wanted.items() if key not in known]
    rows = [
        Trial(f"{study_id}-{n:04d}", study_id, n, t.name, t.recipe, t.target)
        for n, t in enumerate(fresh, 1 + max((t.position for t in there), default=-1))
    ]
    if rows:
        added = tuple(r for r in recipes if r not in study.spec.recipes)
        records.extend_study(study_id, replace(study.spec, recipes=(*study.spec.recipes, *added)), rows)
        ensure_engine()
    made = dict(zip((k for k in wanted if k not in known), (row.id for row in rows), strict=True))
    return tuple({**known, **made}[key] for key in wanted)


def _not_here(model_id: str) -> UsageError:
    return UsageError("This study's model file is not in this lab", given=model_id,
                      remedy="It was imported: add the model with `python -m lab add` and sweep it here")  # fmt: skip


def sweep(model_id: str, preset: str = "quick", *, title: str = "", remeasure: bool = False,
          on_progress: Callable[[Progress], None] | None = None, **spec: Any) -> Study:  # fmt: skip
    """Run a study to its end.

    Args:
        model_id, preset, spec: as in `make_spec`.
        on_progress: called about once a second.

    Returns:
        the finished study; its trials are `lab.trials(study.id)`.
    """
    return wait(start(make_spec(model_id, preset, **spec), title, remeasure=remeasure), on_progress)


def wait(study_id: str, on_progress: Callable[[Progress], None] | None = None) -> Study:
    """Wait until a study has ended."""
    told, shown, pause = 0.0, -1, 0.005
    while (found := records.study(study_id)).state not in FINISHED:
        if on_progress and found.revision != shown and time.monotonic() - told > 0.5:
            on_progress(progress(study_id))
            told, shown = time.monotonic(), found.revision
        time.sleep(pause := min(LONGEST_PAUSE_S, 1.2 * pause))
    return found


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


# --- which layer costs the accuracy ---------------------------------------------------------------------------------------


def start_sensitivity(trial_id: str) -> str:
    """Find out what each layer of a trial costs and brings: each is quantized alone, and each alone is left in float.

    Returns:
        the id of the study that does it, a new one unless there is one already.

    Raises:
        UsageError: the trial's recipe has no step that lets layers be chosen.
    """
    trial = _trial(trial_id)
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
    """Whether a step of the trial's recipe can leave single layers in float."""
    return probing.choosing_step(trial.recipe) is not None


def sensitivity(study_id: str) -> Sensitivity:
    """What a study about sensitivity has found so far, the most harmful layer first.

    Raises:
        UsageError: the study is about something else.
    """
    return sensitivity_of(_about_layers(study_id).spec, records.trials(study_id))


def raise_layers(study_id: str, layers: Sequence[str], option: str = "keep_float") -> tuple[str, ...]:
    """Add the recipe with these layers raised to the study that the question came from: a trial beside the others.

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
        [*recipe.steps[step].params.get(option, ()), *(n for name in layers for n in groups[name].names)]
    )
    return extend(spec.about["study"], [changed(recipe, step, **{option: tuple(names)})], spec.targets)


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
        raise UsageError("No layer of this recipe costs anything that was measured", given=study_id,
                         remedy="Wait until the study has finished")  # fmt: skip
    return extend(spec.about["study"], recipes, spec.targets)


def _about_layers(study_id: str) -> Study:
    found = records.study(study_id)
    if found.spec.about.get("kind") != KIND:
        raise UsageError("This study does not ask what each layer costs", given=study_id,
                         remedy="Start one with: python -m lab sensitivity TRIAL")  # fmt: skip
    return found


# --- reading -------------------------------------------------------------------------------------------------------------


def studies() -> list[Study]:
    """All studies, newest first."""
    return records.studies()


def study(id_: str) -> Study:
    """One study; its `revision` rises with each change.

    Raises:
        UnknownId: there is none of that id.
    """
    return records.study(id_)


def trials(study_id: str) -> list[Trial]:
    """The trials of a study, in the order of its plan."""
    return records.trials(study_id)


def front(study_id: str) -> tuple[str, ...]:
    """Ids of the study's non-dominated trials."""
    return front_of(trials(study_id), study(study_id).spec.objectives)


def progress(study_id: str) -> Progress:
    """How far a study is."""
    row, counts = records.study_row(study_id), records.counts(study_id)
    done = sum(counts.get(state, 0) for state in FINISHED)
    ahead = [s.id for s in reversed(records.studies(("queued", "running")))]
    position = ahead.index(study_id) if row.state == "queued" and study_id in ahead else 0
    return Progress(done, sum(counts.values()), counts.get("failed", 0), row.stage, row.seconds_left, position)


def float_agreement(study_id: str) -> tuple[Pair, ...]:
    """How far the float model answers alike in the runtimes of a study, pair by pair, the least alike first."""
    from lab.engine.agreeing import float_agreement as compare

    return compare(card_of(study_id), records.trials(study_id))


def environment(id_: str) -> dict[str, Any]:
    """The machine and versions behind an environment's id."""
    return records.environment(id_)


def jobs(study_id: str | None = None) -> list[dict[str, Any]]:
    """When and where each job ran, of one study or of all."""
    return records.jobs(study_id)


def latency_samples(trial: Trial) -> list[dict[str, Any]]:
    """Raw timings, one entry a turn: {"round", "samples" s, "warmup" s, "cpu_ratio", "contended", "disturbed" …}, see
    `lab.measure.rounds.time_rounds`; empty where there are none."""
    kept = trial.details.get("samples")
    if not kept or not Path(kept["path"]).exists():
        return []
    value = json.loads(Path(kept["path"]).read_text())
    return list(value["turns"] if "turns" in value else value["rounds"])  # as it was called once


def measuring_conditions(trial: Trial) -> dict[str, Any]:
    """The machine's state before and after a trial's measurement, see `lab.measure.conditions`; {} where it was not kept."""
    kept = trial.details.get("samples")
    if not kept or not Path(kept["path"]).exists():
        return {}
    return dict(json.loads(Path(kept["path"]).read_text()).get("conditions", {}))


def examples(model_id: str, n: int = 8) -> Examples:
    """Some test items of a model's data, to be looked at: (items, labels, texts), one of each class as far as they go."""
    return examples_of(model(model_id), n)


def layers(model_id: str) -> list[Layer]:
    """The layers of a model in the order in which they run; read from its file the first time it is asked for.

    Raises:
        LabError: the file cannot be read.
    """
    return layers_of(model(model_id))


def card_of(study_id: str) -> ModelCard:
    """The card that a study was made with; the model itself may be gone from this lab."""
    return ModelCard.from_json(locate_card(records.study_row(study_id).card))


def dataset_of(card: ModelCard) -> Dataset | None:
    """The registered data set of a card; None for data from disk."""
    return None if card.dataset.startswith(FROM_DISK) else registry.dataset(card.dataset)


def reproduce(trial: Trial) -> dict[str, str]:
    """The command line and the Python lines that run this one trial again."""
    from lab.share.reproduce import reproduce as lines

    return lines(trial, study(trial.study).spec)


def result_json(study_id: str) -> dict[str, Any]:
    """What `--json` writes of a study."""
    from lab.share.result import result_json as result

    return result(study_id)


def export(study_id: str, to: str | Path) -> Path:
    """Write a study to a file; its ending says the form: .csv, .parquet, .json or .lab (everything, to be imported elsewhere).

    Raises:
        UsageError: an unknown ending.
    """
    from lab.share.files import export as write

    return write(study_id, Path(to))


def import_study(path: str | Path) -> str:
    """Read a `.lab` file into this store; returns the study's id. A study that is here already is left as it is."""
    from lab.share.files import import_study as read

    return read(Path(path))


def example_study() -> str | None:
    """Id of the finished study that ships with the lab, read into the store when first asked for."""
    from lab.share.files import EXAMPLE

    where = f"{home()} {database_url()}"
    if where not in _examples and EXAMPLE.exists():
        _examples[where] = import_study(EXAMPLE)
    return _examples.get(where)


_examples: dict[str, str] = {}  # store -> the example's id there: pages ask for it on every rerun


def train(model_id: str, folder: str | Path | None = None, **settings: Any) -> Trained:
    """Run a sample model's training recipe again, in this process.

    Args:
        folder: where weights and record are written, by default `LAB_HOME/trained`.
        settings: further fields of `lab.plugs.Training`: seed, bf16, epochs, progress.
    """
    from lab.training import train as run

    return run(model_id, Training(Path(folder) if folder else home_folder("trained"), **settings))


def add_model(file: str | Path, data: str | Path, task: str = "classification", **more: Any) -> ModelCard:
    """Register a trusted model file with its data; see `lab.adding.add_model`."""
    from lab.adding import add_model as add

    return add(Path(file), Path(data), task, **more)


def explain(trial_id: str, trials: Sequence[Trial] | None = None) -> tuple[Finding, ...]:
    """Why a trial is not faster or not smaller than the float model, the largest share of time or bytes first.

    Args:
        trials: all of its study's, where they are at hand.

    Raises:
        UnknownId: there is no trial of that id.
    """
    from lab.explaining import explain_trial

    return explain_trial(trial_id, trials)


def explanations(study_id: str) -> dict[str, tuple[Finding, ...]]:
    """Trial id -> why it is not faster or not smaller, for every trial of a study.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.explaining import explanations as found

    return found(study_id)


def doctor(repeat: int = REPEAT) -> tuple[Check, ...]:
    """Test this machine, which takes half a minute or more and must be alone: can timings be trusted, what can it compute, what is missing.

    Args:
        repeat: how often comparisons whose answer is known are made; 40 tell a rate.

    Raises:
        LabError: a study is running, or another self-test.
    """
    from lab.engine.doctor import self_test

    return self_test(repeat).checks


def start_self_test(repeat: int = REPEAT) -> None:
    """Begin `doctor` in the background; `self_test_progress` and `last_self_test` tell what comes of it.

    Raises:
        LabError: a study is running, or another self-test.
    """
    from lab.engine.doctor import start_self_test as start_it

    start_it(repeat)


def self_test_progress() -> float | None:
    """The share that is done of a self-test that runs now, in whatever process of this lab; None where none runs."""
    from lab.engine.doctor import progress as how_far

    return how_far()


def self_test_failure() -> LabError | None:
    """Why the last self-test that this process began came to nothing; None where it did not."""
    from lab.engine.doctor import failure

    return failure()


def last_self_test() -> SelfTest | None:
    """The last self-test of this machine, None where there was none."""
    from lab.engine.doctor import last_self_test as last

    return last()


def known_checks() -> tuple[Check, ...]:
    """What can be said of the lab on this machine at once, without a self-test: versions, what is missing, disk, database."""
    from lab.engine.doctor_lab import KNOWN_AT_ONCE

    return tuple(check() for check in KNOWN_AT_ONCE)


def start_scaling(trial_id: str, threads: Sequence[int] | None = None, batches: Sequence[int] | None = None) -> str:
    """Measure a trial and its float baseline with more threads, and with more items a call.

    Args:
        threads, batches: what is tried, see `lab.scaling_targets.scaling_spec`.

    Returns:
        the id of the study that does it, a new one unless one asks the same already.
    """
    from lab.scaling_targets import cores_of, same_targets, scaling_spec, studies_about

    study_id = trial_id.rpartition("-")[0]
    trial = next((t for t in records.trials(study_id) if t.id == trial_id), None)
    if trial is None:
        raise UnknownId(
            "There is no trial of that id", given=trial_id, remedy="Look it up with: python -m lab show STUDY"
        )
    spec = scaling_spec(trial, records.study(study_id).spec, cores_of(trial), threads, batches)
    known = next((s.id for s in studies_about(trial_id) if same_targets(s.spec, spec)), None)
    if known and records.counts(known).get("failed"):
        resume(known)  # what fails for good is known and costs nothing
    return known or start(spec, f"Threads and batches: {trial.name}")


def scaling_study(trial_id: str) -> str | None:
    """The newest study that asks how a trial's time grows with threads and batches, or None."""
    from lab.scaling_targets import studies_about

    return next((s.id for s in studies_about(trial_id)), None)


def scaling(study_id: str) -> scaling_.Scaling:
    """What a study about threads and batches has found so far.

    Raises:
        UsageError: the study is about something else.
    """
    about = records.study(study_id).spec.about
    if about.get("kind") != scaling_.KIND:
        raise UsageError("This study does not ask how time grows with threads and batches", given=study_id,
                         remedy="Start one with: python -m lab scaling TRIAL")  # fmt: skip
    return scaling_.scaling(about, records.trials(study_id))


def compare(trial_id: str, other_id: str | None = None) -> tuple[Difference, ...]:
    """How a trial differs from another one, by default its float baseline: items and rounds are paired where they can be.

    Raises:
        UnknownId: there is no such trial.
    """
    trial = _trial(trial_id)
    others = trials(trial.study)
    other = baseline_of(trial, others) if other_id is None else _trial(other_id)
    metrics = available_metrics() if other else {}
    found = [difference(id_, trial, other) for id_ in metrics if other]
    return tuple(d for d in found if d)


def measuring_seconds(study_id: str) -> float:
    """Seconds that a study spent measuring latency and memory, while nothing else of the lab ran."""
    return float(sum(j["finished_at"] - j["started_at"] for j in records.jobs(study_id) if j["kind"] == "measure"))


def anatomy(trial: Trial) -> Anatomy | None:
    """What a trial's file consists of: bytes by part, operators, weights, zeros; None where it was not looked into."""
    from lab.explaining import anatomy_of

    return anatomy_of(trial)


def profile(trial: Trial) -> Profile | None:
    """Where the time of a trial's call goes, operator by operator; None where it was not profiled."""
    from lab.explaining import profile_of

    return profile_of(trial)


def _trial(trial_id: str) -> Trial:
    """One trial.

    Raises:
        UnknownId: there is none of that id.
    """
    found = next((t for t in records.trials(trial_id.rpartition("-")[0]) if t.id == trial_id), None)
    if found is None:
        raise UnknownId(
            "There is no trial of that id", given=trial_id, remedy="Look it up with: python -m lab show STUDY"
        )
    return found
