"""Run of one study: its graph of jobs is laid out, the store's outcomes are taken over, and each
trial is written as its jobs end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lab import registry
from lab.engine import searching
from lab.engine.cluster import BUILD_PRIORITY, Cluster
from lab.engine.estimating import Pace
from lab.engine.messages import Failure
from lab.engine.pools import POOLS
from lab.engine.study_graph import Node, Source, StudyGraph
from lab.engine.trial_updates import TrialUpdates
from lab.errors import JobError
from lab.measure.environment import fingerprint
from lab.spec.plan import PlannedTrial
from lab.spec.recipes import prefixes
from lab.store import records
from lab.store.blobs import keep
from lab.store.data import data_digest, data_folder
from lab.types import FINISHED, Target, Trial, canonical_json

Apply = Callable[[Any], list[Trial]]
"""Takes the outcome of a job and returns the trials that it changes."""
CANCELLED = Failure("JobCancelled", "The study was cancelled.")
NEVER_RUN = Failure("JobError", "It was never run.")


class EngineStopped(Exception):
    """The process is ending: unfinished trials stay as they are, for the engine that comes next."""


class StudyRun:
    """One study from its rows to its end, or to where its engine is `stopped`."""

    graph: StudyGraph

    def __init__(
        self, study_id: str, cluster: Cluster, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self.id, self.cluster, self.stopped = study_id, cluster, stopped
        self.remeasure = bool(records.study_row(study_id).remeasure)
        self.card = records.card_of(study_id)
        self.failed_builds: dict[str, Node[Any]] = {}
        self._read()

    def _read(self) -> None:
        """Read the spec and the trials as they are now."""
        self.spec = records.study(self.id).spec
        self.updates = TrialUpdates({t.id: t for t in records.trials(self.id)})
        self.pending: dict[Any, list[Apply]] = {}

    @property
    def trials(self) -> dict[str, Trial]:
        """Trials as they are now, by id."""
        return self.updates.trials

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
        self.failed_builds = self.graph.failed_builds()

    def _search_on(self) -> bool:
        """Add the next trials of a guided search; False where nothing is searched, or no more."""
        if not self.spec.search or self.stopped() or records.study_row(self.id).cancel_requested:
            return False
        self._read()
        chosen = (
            searching.planned_first(self.id, self.spec, self.card, remeasure=self.remeasure)
            or self._choose()
        )
        if chosen:
            records.add_trials(self.id, searching.rows_of(self.id, chosen))
            self._read()
        return bool(chosen)

    def _choose(self) -> list[PlannedTrial]:
        """The sampler's next trials, chosen when nothing is measured."""
        if searching.left_to_spend(self.id, self.spec, list(self.trials.values())) <= 0:
            return []
        future = self.cluster.submit(
            searching.choose_on_worker,
            self.id,
            resources={"slot": 1},
            priority=BUILD_PRIORITY,
            label="choose",
        )
        ((_, chosen),) = self.cluster.finished([future])
        if isinstance(chosen, Failure):
            raise JobError(chosen.message)
        return list(chosen)

    # --- before the first job ---------------------------------------------------------------------

    def _prepare(self) -> None:
        artifact, digest = keep(Path(self.card.path), self.card.format), data_digest(self.card)
        self.source = Source(self.id, self.card, artifact, "", digest, "", self.remeasure)
        self.steps = records.known_steps(
            [self.source.step_key(s) for t in self.trials.values() for s in prefixes(t.recipe)]
        )
        self.pace = Pace.of_store()
        self._warm_up()
        data, environment = str(data_folder(self.card)), records.keep_environment(fingerprint())
        self.source = replace(self.source, data=data, environment=environment)
        self.updates.environment = environment
        self.unfinished = self.updates.unfinished()
        baselines = [t for t in self.trials.values() if t.is_baseline]
        self.graph = StudyGraph(
            self.cluster, self.source, self.spec, baselines, self.steps, self.failed_builds
        )

    def _warm_up(self) -> None:
        """Begin the long imports of toolchains that will be needed while other things are got
        ready.
        """
        missing = {
            steps[-1].technique
            for t in self.updates.unfinished()
            for steps in prefixes(t.recipe)
            if self.source.step_key(steps) not in self.steps
        }
        packages: dict[str, dict[str, None]] = {}
        for technique in map(
            registry.technique, sorted(missing) if "LAB_SCHEDULER" not in os.environ else ()
        ):
            packages.setdefault(technique.pool, {}).update(dict.fromkeys(technique.requires))
        for toolchain in sorted(packages, key=lambda t: t == "light"):  # the longest import first
            POOLS.warm(toolchain, tuple(packages[toolchain]))

    # --- the graph --------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        changed: dict[str, Trial] = {}
        for trial in sorted(self.unfinished, key=lambda t: not t.is_baseline):
            id_, steps = trial.id, trial.recipe.steps
            changed |= self._on(self.graph.build(steps), partial(self._built, id_))
            changed |= self._on(self.graph.evaluate(trial), partial(self._evaluated, id_))
        for target in {
            canonical_json(t.target.to_json()): t.target for t in self.unfinished
        }.values():
            node = self.graph.measure(target, self._running_on(target))
            changed |= self._on(node, partial(self._measured, target))
        self._write(list(changed.values()))

    def _on(self, node: Node[Any], apply: Apply) -> dict[str, Trial]:
        """Apply a known outcome and return the changed trials by id, or apply it when it comes."""
        if node.is_known:
            return {t.id: t for t in apply(node.outcome)}
        self.pending.setdefault(node.future, []).append(apply)
        return {}

    def _running_on(self, target: Target) -> list[Trial]:
        """Trials on a target that have not finished."""
        mine = [t for t in self.unfinished if t.target == target]
        return [self.trials[t.id] for t in mine if self.trials[t.id].state not in FINISHED]

    def _built(self, id_: str, outcome: Any) -> list[Trial]:
        return [self.updates.built(id_, outcome)]

    def _evaluated(self, id_: str, outcome: Any) -> list[Trial]:
        return [self.updates.evaluated(id_, outcome)]

    def _measured(self, target: Target, outcomes: Any) -> list[Trial]:
        return [self.updates.measured(t.id, outcomes) for t in self._running_on(target)]

    # --- following the jobs -----------------------------------------------------------------------

    def _follow(self) -> None:
        for future, outcome in self.cluster.finished(list(self.pending)) if self.pending else ():
            if self.stopped():
                raise EngineStopped
            changed = [t for apply in self.pending.pop(future) for t in apply(outcome)]
            self._write(changed)

    def _write(self, changed: list[Trial]) -> None:
        if changed:
            records.update_trials(self.id, changed)
        left = self.pace.seconds_left([self.trials[t.id] for t in self.unfinished])
        records.update_study(self.id, stage=self._stage(), seconds_left=left)

    def _stage(self) -> str:
        done = sum(t.state in FINISHED for t in self.trials.values())
        ready = sum(t.artifact is not None for t in self.trials.values())
        judged = sum(bool(t.measurements) for t in self.trials.values())
        return f"{ready} built, {judged} evaluated, {done} of {len(self.trials)} finished"

    def _finish(self) -> None:
        if self.stopped():
            raise EngineStopped
        cancelled = records.study_row(self.id).cancel_requested
        failure = CANCELLED if cancelled else NEVER_RUN
        if left := self.updates.unfinished():
            records.update_trials(self.id, [self.updates.failed(t.id, failure) for t in left])
        records.finish_study(self.id, "cancelled" if cancelled else "complete")

    def _fail(self, error: Exception) -> None:
        error_json = Failure.of(error).error_json()
        left = self.updates.unfinished()
        records.update_trials(
            self.id, [self.updates.change(t.id, state="failed", error=error_json) for t in left]
        )
        records.update_study(
            self.id,
            state="failed",
            stage="",
            error=error_json,
            seconds_left=0.0,
            finished_at=records.now(),
        )
