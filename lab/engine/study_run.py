"""Runs one study: lays out its graph of jobs, takes what the store knows already, and writes each
trial as it comes.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import registry
from lab.engine import keys, searching
from lab.engine import on_dask_worker as tasks
from lab.engine.cluster import BUILD_PRIORITY, EVALUATE_PRIORITY, MEASURE_PRIORITY, Cluster
from lab.engine.limits import GUESS_S, HEAVY, slots
from lab.engine.pool_process import error_json
from lab.engine.pools import POOLS
from lab.errors import JobError
from lab.measure.environment import fingerprint
from lab.spec.plan import PlannedTrial
from lab.spec.recipes import prefixes
from lab.store import records
from lab.store.blobs import keep, locate_card
from lab.store.data import data_digest, data_folder
from lab.types import (
    FINISHED,
    Artifact,
    Measurement,
    ModelCard,
    Recipe,
    Step,
    Target,
    Trial,
    TrialDetails,
    canonical_json,
    digest_of,
)

Node = Any  # an outcome that is known, or the Dask future of one


class EngineStopped(Exception):
    """The process is ending: what is unfinished is left as it is, for the engine that comes
    next.
    """


class StudyRun:
    """One study from its rows to its end, or to where its engine is `stopped`."""

    def __init__(
        self, study_id: str, cluster: Cluster, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        row = records.study_row(study_id)
        self.id, self.cluster, self.remeasure, self.stopped = (
            study_id,
            cluster,
            row.remeasure,
            stopped,
        )
        self.card, self.card_json = (
            ModelCard.from_json(locate_card(row.card)),
            locate_card(row.card),
        )
        self.builds: dict[str, Node] = {}
        self._read()

    def _read(self) -> None:
        """Take up the spec and the trials as they are now; of what was built before, failures that
        the store does not keep stay.
        """
        self.spec = records.study(self.id).spec
        self.trials = {t.id: t for t in records.trials(self.id)}
        self.builds = {key: found for key, node in self.builds.items() if (found := _failure(node))}
        self.evaluations: dict[tuple[str, str], Node] = {}
        self.pending: dict[Any, Callable[[Any], list[Trial]]] = {}
        self.waiting: Counter[str] = Counter()

    def run(self) -> None:
        """Run to the end; whatever happens is written to the study."""
        try:
            records.update_study(
                self.id, state="running", stage="preparing the data", started_at=time.time()
            )
            self._pass()
            while self._search_on():
                self._pass()
            self._finish()
        except Exception as error:  # the study must not stay "running" for ever
            if not self.stopped():
                self._fail(error)

    def _pass(self) -> None:
        """Run every trial that is there and has not finished."""
        self._prepare()
        self._lay_out()
        self._follow()

    def _search_on(self) -> bool:
        """Add what a guided search tries next; False where nothing is searched, or no more."""
        if not self.spec.search or self.stopped() or records.study_row(self.id).cancel_requested:
            return False
        self._read()
        chosen = (
            searching.given(self.id, self.spec, self.card, remeasure=self.remeasure)
            or self._choose()
        )
        if chosen:
            records.add_trials(self.id, searching.rows_of(self.id, chosen))
            self._read()
        return bool(chosen)

    def _choose(self) -> list[PlannedTrial]:
        """What the sampler takes next, chosen when nothing is measured."""
        if searching.left_to_spend(self.id, self.spec, list(self.trials.values())) <= 0:
            return []
        asked = self.cluster.submit(
            searching.choose,
            self.id,
            resources={"slot": 1},
            priority=BUILD_PRIORITY,
            label="choose",
        )
        ((_, chosen),) = self.cluster.finished([asked])
        if isinstance(chosen, dict):
            raise JobError(chosen["error"]["message"])
        return list(chosen)

    # --- before the first job ---------------------------------------------------------------------

    def _prepare(self) -> None:
        self.source = keep(Path(self.card.path), self.card.format)
        self.digest = data_digest(self.card)
        self.steps = records.known_steps(
            [self._step_key(s) for t in self.trials.values() for s in prefixes(t.recipe)]
        )
        self.known_seconds = {**GUESS_S, **records.result_seconds()}, records.step_seconds()
        self._warm_up()
        self.data = str(data_folder(self.card))
        self.environment = records.keep_environment(fingerprint())
        self.unfinished = [t for t in self.trials.values() if t.state not in FINISHED]

    def _warm_up(self) -> None:
        """Begin the long imports of toolchains that will be needed while other things are got
        ready.
        """
        missing = {
            s[-1].technique
            for t in self.trials.values()
            if t.state not in FINISHED
            for s in prefixes(t.recipe)
            if self._step_key(s) not in self.steps
        }
        packages: dict[str, dict[str, None]] = {}
        for technique in map(
            registry.technique, sorted(missing) if "LAB_SCHEDULER" not in os.environ else ()
        ):
            packages.setdefault(technique.pool, {}).update(dict.fromkeys(technique.requires))
        for toolchain in sorted(packages, key=lambda t: t == "light"):  # the longest import first
            POOLS.warm(toolchain, tuple(packages[toolchain]))

    def _step_key(self, steps: tuple[Step, ...]) -> str:
        return keys.step_key(self.source.sha256, steps, self.card, self.digest)

    # --- the graph --------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        changed: dict[str, Trial] = {}
        for trial in sorted(self.unfinished, key=lambda t: not t.is_baseline):
            self._on(self._build(trial.recipe.steps), "build", self._after_build(trial.id), changed)
            self._on(self._evaluate(trial), "evaluate", self._after_evaluate(trial.id), changed)
        for target in {
            canonical_json(t.target.to_json()): t.target for t in self.unfinished
        }.values():
            self._on(self._measure(target), "measure", self._after_measure(target), changed)
        self._write(list(changed.values()))

    def _on(
        self, node: Node, kind: str, then: Callable[[Any], list[Trial]], changed: dict[str, Trial]
    ) -> None:
        if isinstance(node, dict):
            changed.update({t.id: t for t in then(node)})
            return
        first = self.pending.get(node)
        if first is None:
            self.waiting[kind] += 1
            self.pending[node] = then
        else:
            self.pending[node] = lambda outcome: first(outcome) + then(outcome)

    def _build(self, steps: tuple[Step, ...]) -> Node:
        if not steps:
            return {"artifact": self.source.to_json(), "cached": True}
        key = self._step_key(steps)
        if key not in self.builds:
            self.builds[key] = self._build_node(key, steps)
        return self.builds[key]

    def _build_node(self, key: str, steps: tuple[Step, ...]) -> Node:
        before, technique = self._build(steps[:-1]), registry.technique(steps[-1].technique)
        if isinstance(before, dict):
            if "error" in before:
                return before
            if key in self.steps:
                return {**self.steps[key], "cached": True}
        request = {
            "study": self.id,
            "key": key,
            "step": steps[-1].to_json(),
            "card": self.card_json,
            "data": self.data,
        }
        return self.cluster.submit(
            tasks.build_task,
            request,
            before,
            resources=_resources(technique.pool),
            priority=BUILD_PRIORITY,
            label=technique.id,
        )

    def _evaluate(self, trial: Trial) -> Node:
        key = (
            digest_of(trial.recipe.to_json()),
            digest_of([trial.target.runtime, keys.output_options(trial.target)]),
        )
        if key not in self.evaluations:
            self.evaluations[key] = self._evaluate_node(trial)
        return self.evaluations[key]

    def _evaluate_node(self, trial: Trial) -> Node:
        built, base = self._build(trial.recipe.steps), self._baseline_of(trial)
        base_built = self._build(base.recipe.steps) if base else None
        base_evaluated = self._evaluate(base) if base else None
        request = {
            **self._request(trial.target),
            "label": f"{trial.name} on {trial.target.runtime}",
            "is_baseline": trial.is_baseline,
        }
        if all(d is None or isinstance(d, dict) for d in (built, base_built, base_evaluated)):
            if "error" in built:
                return built
            usable = base_built if base_evaluated and "error" not in base_evaluated else None
            known = records.known_result(tasks.evaluation_key(request, built, usable))
            if known is not None:
                return {**known, "cached": True}
        return self.cluster.submit(
            tasks.evaluate_task,
            request,
            built,
            base_built,
            base_evaluated,
            resources=_resources(registry.runtime(trial.target.runtime).toolchain),
            priority=EVALUATE_PRIORITY,
            label="evaluate",
        )

    def _baseline_of(self, trial: Trial) -> Trial | None:
        """The float model with the same runtime and output-changing options; None for the baseline
        itself.
        """
        if trial.is_baseline:
            return None
        alike = (
            t
            for t in self.trials.values()
            if t.is_baseline and t.target.runtime == trial.target.runtime
        )
        wanted = keys.output_options(trial.target)
        return next((t for t in alike if keys.output_options(t.target) == wanted), None)

    def _measure(self, target: Target) -> Node:
        """One job for all variants of a target: they take turns, or their differences would not be
        paired.
        """
        mine = [
            t
            for t in self.unfinished
            if t.target == target and self.trials[t.id].state not in FINISHED
        ]
        built, evaluated = (
            [self._build(t.recipe.steps) for t in mine],
            [self._evaluate(t) for t in mine],
        )
        request = {**self._request(target), "remeasure": self.remeasure}
        if not self.remeasure and all(isinstance(n, dict) for n in (*built, *evaluated)):
            shas = [
                b["artifact"]["sha256"]
                for b, e in zip(built, evaluated, strict=True)
                if "error" not in b and "error" not in e
            ]
            known = {sha: tasks.known_measurement(request, sha) for sha in shas}
            if all(outcome is not None for outcome in known.values()):
                return known
        return self.cluster.submit(
            tasks.measure_task,
            request,
            built,
            evaluated,
            resources={"slot": slots()},
            priority=MEASURE_PRIORITY,
            label="measure",
        )

    def _request(self, target: Target) -> dict[str, Any]:
        return {
            "study": self.id,
            "target": target.to_json(),
            "card": self.card_json,
            "data": self.data,
            "spec": self.spec.to_json(),
            "environment": self.environment,
            "item_digest": digest_of(self.card_json["input"])[:12],
        }

    # --- what each outcome does to its trials -----------------------------------------------------

    def _after_build(self, id_: str) -> Callable[[Any], list[Trial]]:
        def apply(outcome: Any) -> list[Trial]:
            if "error" in outcome:
                return [self._failed(id_, outcome["error"], cached=bool(outcome.get("cached")))]
            details = {
                "notes": outcome.get("notes", {}),
                "build_s": outcome.get("seconds"),
                "build_cached": bool(outcome.get("cached")),
                **({"training": outcome["training"]} if outcome.get("training") else {}),
            }
            inspection = outcome.get("inspection", {})
            return [
                self._change(
                    id_,
                    state="running",
                    artifact=Artifact(**outcome["artifact"]),
                    environment=self.environment,
                    details=TrialDetails.from_json(details),
                    float_operators=inspection.get("float_operators", {}),
                    cached=bool(outcome.get("cached")),
                )
            ]

        return apply

    def _after_evaluate(self, id_: str) -> Callable[[Any], list[Trial]]:
        def apply(outcome: Any) -> list[Trial]:
            if "error" in outcome:
                return [
                    self._failed(
                        id_,
                        outcome["error"],
                        cached=self.trials[id_].cached and bool(outcome.get("cached")),
                    )
                ]
            return [
                self._measured(
                    id_,
                    outcome,
                    outputs=outcome["outputs"],
                    evaluate_s=outcome.get("seconds"),
                    right=outcome.get("right"),
                    elsewhere=outcome.get("elsewhere", {}),
                    anatomy=outcome.get("anatomy"),
                )
            ]

        return apply

    def _after_measure(self, target: Target) -> Callable[[Any], list[Trial]]:
        ids = [t.id for t in self.unfinished if t.target == target]

        def apply(outcomes: Any) -> list[Trial]:
            return [
                self._after_measure_of(id_, outcomes)
                for id_ in ids
                if self.trials[id_].state not in FINISHED
            ]

        return apply

    def _after_measure_of(self, id_: str, outcomes: Any) -> Trial:
        artifact = self.trials[id_].artifact
        outcome = (
            outcomes if "error" in outcomes else outcomes.get(artifact.sha256 if artifact else "")
        )
        if outcome is None or "error" in outcome:
            return self._failed(
                id_,
                (outcome or {}).get("error")
                or {"type": "JobError", "message": "It was never measured."},
            )
        told = {
            name: outcome[name]
            for name in ("samples", "profile", "timing", "memory")
            if outcome.get(name)
        }
        trial = self._measured(id_, outcome, **told)
        return self._change(id_, state="complete", measurements=trial.measurements)

    def _measured(self, id_: str, outcome: Any, **details: Any) -> Trial:
        trial = self.trials[id_]
        found = {k: Measurement.from_json(k, m) for k, m in outcome["measurements"].items()}
        return self._change(
            id_,
            measurements={**trial.measurements, **found},
            details=trial.details.with_json(details),
            environment=outcome.get("environment", self.environment),
            cached=trial.cached and bool(outcome.get("cached")),
        )

    def _failed(self, id_: str, error: dict[str, Any], *, cached: bool = False) -> Trial:
        state = "cancelled" if error["type"] == "JobCancelled" else "failed"
        return self._change(
            id_, state=state, error=error, environment=self.environment, cached=cached
        )

    def _change(self, id_: str, **values: Any) -> Trial:
        changed = replace(self.trials[id_], **values)
        if changed.state in FINISHED and changed.details.ended_at is None:
            changed = replace(changed, details=replace(changed.details, ended_at=time.time()))
        self.trials[id_] = changed
        return changed

    # --- following the jobs -----------------------------------------------------------------------

    def _follow(self) -> None:
        for future, outcome in self.cluster.finished(list(self.pending)) if self.pending else ():
            if self.stopped():
                raise EngineStopped
            self.waiting[future.key.split("-")[0]] -= 1
            self._write(self.pending.pop(future)(outcome))

    def _write(self, changed: list[Trial]) -> None:
        if changed:
            records.update_trials(self.id, changed)
        records.update_study(self.id, stage=self._stage(), seconds_left=self._seconds_left())

    def _stage(self) -> str:
        done = sum(t.state in FINISHED for t in self.trials.values())
        ready = sum(t.artifact is not None for t in self.trials.values())
        judged = sum(bool(t.measurements) for t in self.trials.values())
        return f"{ready} built, {judged} evaluated, {done} of {len(self.trials)} finished"

    def _seconds_left(self) -> float:
        known, techniques = self.known_seconds
        unbuilt = [
            t
            for t in self.unfinished
            if t.state not in FINISHED and self.trials[t.id].artifact is None
        ]
        build = sum(_build_seconds(t.recipe, techniques) for t in unbuilt)
        evaluate = known["evaluate"] * sum(
            not self.trials[t.id].measurements for t in self.unfinished
        )
        measure = known["measure"] * sum(
            self.trials[t.id].state not in FINISHED for t in self.unfinished
        )
        return (build + evaluate) / slots() + measure

    def _finish(self) -> None:
        if self.stopped():
            raise EngineStopped
        cancelled = records.study_row(self.id).cancel_requested
        left = [t for t in self.trials.values() if t.state not in FINISHED]
        error = (
            {"type": "JobCancelled", "message": "The study was cancelled."}
            if cancelled
            else {"type": "JobError", "message": "It was never run."}
        )
        if left:
            records.update_trials(self.id, [self._failed(t.id, error) for t in left])
        records.finish_study(self.id, "cancelled" if cancelled else "complete")

    def _fail(self, error: Exception) -> None:
        found = error_json(error)
        left = [t for t in self.trials.values() if t.state not in FINISHED]
        records.update_trials(
            self.id, [self._change(t.id, state="failed", error=found) for t in left]
        )
        records.update_study(
            self.id,
            state="failed",
            stage="",
            error=found,
            seconds_left=0.0,
            finished_at=records.now(),
        )


def _resources(toolchain: str) -> Mapping[str, float]:
    return {"slot": 1} | ({toolchain: 1} if toolchain in HEAVY else {})


def _build_seconds(recipe: Recipe, known: dict[str, float]) -> float:
    last = registry.technique(recipe.steps[-1].technique) if recipe.steps else None
    return known.get(last.id, last.typical_s) if last else 0.0


def _failure(node: Node) -> Mapping[str, Any] | None:
    """The outcome of a build that is known to have failed, or None."""
    outcome = node if isinstance(node, dict) else node.result() if node.status == "finished" else {}
    return outcome if "error" in outcome else None
