"""Graph of a study's jobs: files are built and evaluated once each, and each target is measured in
one job. A node whose outcome the store knows needs no job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lab import registry
from lab.engine import keys
from lab.engine.cluster import BUILD_PRIORITY, EVALUATE_PRIORITY, MEASURE_PRIORITY, Cluster
from lab.engine.limits import HEAVY, slots
from lab.engine.messages import (
    BuildRequest,
    Built,
    Evaluated,
    EvaluateRequest,
    Failure,
    Measured,
    MeasureRequest,
    outcome_from_json,
)
from lab.engine.on_dask_worker import build_on_worker, evaluate_on_worker, measure_on_worker
from lab.engine.on_dask_worker.evaluate import evaluation_key, known_evaluation
from lab.engine.on_dask_worker.measure import known_measurements, measurable
from lab.types import Artifact, ModelCard, Step, StudySpec, Target, Trial, digest_of

T = TypeVar("T")
TargetMeasured = dict[str, Measured | Failure]
"""SHA-256 of the artifact -> outcome."""


@dataclass(frozen=True)
class Node(Generic[T]):
    """A job of the graph: its known outcome, or the Dask future of it."""

    outcome: T | Failure | None = None
    future: Any = None

    @property
    def is_known(self) -> bool:
        """True if there is nothing to wait for."""
        return self.outcome is not None

    @property
    def argument(self) -> Any:
        """The argument that a job which needs this outcome is given."""
        return self.future if self.outcome is None else self.outcome

    def failure(self) -> Failure | None:
        """The outcome, where it is known by now that the job failed."""
        outcome = self.outcome
        if outcome is None and self.future.status == "finished":
            outcome = self.future.result()
        return outcome if isinstance(outcome, Failure) else None


@dataclass(frozen=True)
class Source:
    """Values that all jobs of a study share.

    Attributes:
        artifact: file of the float model.
        data: folder with the arrays of the dataset; data_digest: of these.
        environment: id of this machine's environment.
    """

    study: str
    card: ModelCard
    artifact: Artifact
    data: str
    data_digest: str
    environment: str
    remeasure: bool = False

    def step_key(self, steps: tuple[Step, ...]) -> str:
        """Key of the file that a chain of steps makes."""
        return keys.step_key(self.artifact.sha256, steps, self.card, self.data_digest)


@dataclass
class StudyGraph:
    """Nodes of a study, each made once.

    Attributes:
        baselines: trials of the float model.
        steps: stored outcomes of steps, by key.
        builds: nodes by key of the step; failures of an earlier pass, which the store need not
            keep, may be given.
    """

    cluster: Cluster
    source: Source
    spec: StudySpec
    baselines: Sequence[Trial]
    steps: Mapping[str, Mapping[str, Any]]
    builds: dict[str, Node[Built]] = field(default_factory=dict)
    evaluations: dict[tuple[str, str], Node[Evaluated]] = field(default_factory=dict)

    def build(self, steps: tuple[Step, ...]) -> Node[Built]:
        """Node of the file that a chain of steps makes."""
        if not steps:
            return Node(Built(self.source.artifact, cached=True))
        key = self.source.step_key(steps)
        if key not in self.builds:
            self.builds[key] = self._build_node(key, steps)
        return self.builds[key]

    def _build_node(self, key: str, steps: tuple[Step, ...]) -> Node[Built]:
        before, technique = self.build(steps[:-1]), registry.technique(steps[-1].technique)
        if isinstance(before.outcome, Failure):
            return before
        if before.is_known and key in self.steps:
            return Node(outcome_from_json(Built, self.steps[key], cached=True))
        request = BuildRequest(
            self.source.study, key, steps[-1], self.source.card, self.source.data
        )
        return Node(
            future=self.cluster.submit(
                build_on_worker,
                request,
                before.argument,
                resources=_resources(technique.pool),
                priority=BUILD_PRIORITY,
                label=technique.id,
            )
        )

    def evaluate(self, trial: Trial) -> Node[Evaluated]:
        """Node of a trial's evaluation: one for all targets with the same outputs."""
        place = [trial.target.runtime, keys.output_options(trial.target)]
        key = digest_of(trial.recipe.to_json()), digest_of(place)
        if key not in self.evaluations:
            self.evaluations[key] = self._evaluate_node(trial)
        return self.evaluations[key]

    def _evaluate_node(self, trial: Trial) -> Node[Evaluated]:
        built, base = self.build(trial.recipe.steps), self._evaluated_with(trial)
        base_built = self.build(base.recipe.steps) if base else None
        base_evaluated = self.evaluate(base) if base else None
        request = EvaluateRequest(
            **self._shared(trial.target),
            label=f"{trial.name} on {trial.target.runtime}",
            is_baseline=trial.is_baseline,
        )
        known = _known_evaluation(request, built, base_built, base_evaluated)
        if known is not None:
            return Node(known)
        return Node(
            future=self.cluster.submit(
                evaluate_on_worker,
                request,
                built.argument,
                base_built.argument if base_built else None,
                base_evaluated.argument if base_evaluated else None,
                resources=_resources(registry.runtime(trial.target.runtime).toolchain),
                priority=EVALUATE_PRIORITY,
                label="evaluate",
            )
        )

    def _evaluated_with(self, trial: Trial) -> Trial | None:
        """The float model with the same runtime and output-changing options; None for the baseline
        itself.
        """
        if trial.is_baseline:
            return None
        options = keys.output_options(trial.target)
        return next(
            (
                t
                for t in self.baselines
                if t.target.runtime == trial.target.runtime
                and keys.output_options(t.target) == options
            ),
            None,
        )

    def measure(self, target: Target, variants: Sequence[Trial]) -> Node[TargetMeasured]:
        """Node of one job for all variants of a target: they take turns, or their differences would
        not be paired.
        """
        built = [self.build(t.recipe.steps) for t in variants]
        evaluated = [self.evaluate(t) for t in variants]
        request = MeasureRequest(**self._shared(target), remeasure=self.source.remeasure)
        if (known := _known_measured(request, built, evaluated)) is not None:
            return Node(known)
        return Node(
            future=self.cluster.submit(
                measure_on_worker,
                request,
                [node.argument for node in built],
                [node.argument for node in evaluated],
                resources={"slot": slots()},
                priority=MEASURE_PRIORITY,
                label="measure",
            )
        )

    def _shared(self, target: Target) -> dict[str, Any]:
        source = self.source
        return {
            "study": source.study,
            "target": target,
            "card": source.card,
            "data": source.data,
            "spec": self.spec,
            "environment": source.environment,
        }

    def failed_builds(self) -> dict[str, Node[Built]]:
        """Nodes of the builds that failed, for the graph of the next pass."""
        failures = {key: node.failure() for key, node in self.builds.items()}
        return {key: Node(failure) for key, failure in failures.items() if failure is not None}


def _known_evaluation(
    request: EvaluateRequest,
    built: Node[Built],
    base_built: Node[Built] | None,
    base_evaluated: Node[Evaluated] | None,
) -> Evaluated | Failure | None:
    """Outcome of an evaluation that needs no job."""
    nodes = (built, base_built, base_evaluated)
    if not all(node is None or node.is_known for node in nodes):
        return None
    if not isinstance(built.outcome, Built):
        return built.outcome
    baseline = base_built.outcome if base_built and base_evaluated else None
    if base_evaluated and isinstance(base_evaluated.outcome, Failure):
        baseline = None
    compared = baseline if isinstance(baseline, Built) else None
    return known_evaluation(evaluation_key(request, built.outcome, compared))


def _known_measured(
    request: MeasureRequest, built: Sequence[Node[Built]], evaluated: Sequence[Node[Evaluated]]
) -> TargetMeasured | None:
    """Outcomes of all variants of a target, where the store knows every one of them."""
    builds, evaluations = [n.outcome for n in built], [n.outcome for n in evaluated]
    if request.remeasure or None in builds or None in evaluations:
        return None
    files = measurable(
        [o for o in builds if o is not None], [o for o in evaluations if o is not None]
    )
    shas = list(dict.fromkeys(artifact.sha256 for artifact in files))
    known = known_measurements(request, shas)
    return known if len(known) == len(shas) else None


def _resources(toolchain: str) -> Mapping[str, float]:
    return {"slot": 1} | ({toolchain: 1} if toolchain in HEAVY else {})
