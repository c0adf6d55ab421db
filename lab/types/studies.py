"""Values about studies: recipes, targets, trials, specs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from lab.types.details import Artifact, TrialDetails
from lab.types.models import Measurement

State = Literal["queued", "running", "complete", "failed", "cancelled"]


FINISHED: tuple[State, ...] = ("complete", "failed", "cancelled")
Stage = Mapping[str, Mapping[str, tuple[Any, ...]]]
"""Values to try, by technique and option."""


Chain = tuple[Stage, ...]
"""Stages of a composition in their order, see `lab.spec.chains`."""


@dataclass(frozen=True)
class Step:
    """Technique with its complete parameters."""

    technique: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON."""
        return {"technique": self.technique, "params": dict(self.params)}


@dataclass(frozen=True)
class Recipe:
    """Ordered tuple of steps; links contain its JSON."""

    steps: tuple[Step, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """Return JSON."""
        return [step.to_json() for step in self.steps]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Inverse of `to_json`."""
        return cls(tuple(Step(s["technique"], dict(s.get("params", {}))) for s in value))


@dataclass(frozen=True)
class Target:
    """Target of a variant: a runtime and its options (threads, delegate …)."""

    runtime: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return flat JSON: {"runtime": id, "threads": …}."""
        return {"runtime": self.runtime, **self.options}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(value["runtime"], {k: v for k, v in value.items() if k != "runtime"})


@dataclass(frozen=True)
class Trial:
    """Variant on a target, with all its results.

    Attributes:
        name: the recipe's speaking name.
        cached: True if all its results were taken from the store.
        float_operators: operators that compute in float although the recipe quantizes, with their
            counts.
        details: files and facts that its jobs kept.
    """

    id: str
    study: str
    position: int
    name: str
    recipe: Recipe
    target: Target
    state: State = "queued"
    is_baseline: bool = False
    cached: bool = False
    error: Mapping[str, Any] | None = None
    artifact: Artifact | None = None
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    environment: str | None = None
    float_operators: Mapping[str, int] = field(default_factory=dict)
    details: TrialDetails = field(default_factory=TrialDetails)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that `--json` writes."""
        return {
            "id": self.id,
            "name": self.name,
            "recipe": self.recipe.to_json(),
            "target": self.target.to_json(),
            "state": self.state,
            "baseline": self.is_baseline,
            "cached": self.cached,
            "error": self.error,
            "artifact": self.artifact.to_json() if self.artifact else None,
            "measurements": {k: m.to_json() for k, m in self.measurements.items()},
            "environment": self.environment,
            "float_operators": dict(self.float_operators),
            "details": self.details.to_json(),
        }


@dataclass(frozen=True)
class Objective:
    """Metric with its direction of improvement."""

    metric: str
    direction: Literal["maximize", "minimize"]


@dataclass(frozen=True)
class StudySpec:
    """Specification of a study, which is sufficient to run it again.

    Attributes:
        space: technique id -> option id -> values to try; every combination is a recipe. The float
            baseline is always added.
        chains: compositions of several techniques, with every way through their stages, see
            `lab.spec.chains`.
        recipes: further single recipes.
        targets: targets of every variant.
        further_targets: targets on which only the float model and each technique of the space with
            its defaults run.
        metrics: ids of the metrics to measure; empty means all that fit the task.
        rounds: smallest number of undisturbed timing rounds per variant, each of two turns.
        runs: largest number of timed runs in a turn.
        turn_s: target duration of a turn in seconds.
        precision: rounds are added until the median's 95 % interval extends at most this far on
            either side (0.02 is 2 %), or until budget_s is spent.
        budget_s: largest timing duration per variant in seconds.
        about: question of the study beyond its trials, see `lab.analysis.sensitivity`.
        search: selection of trials from all of these by a guided search and its end, see
            `lab.spec.search`; empty runs them all.
    """

    model: str
    space: Mapping[str, Mapping[str, tuple[Any, ...]]] = field(default_factory=dict)
    recipes: tuple[Recipe, ...] = ()
    targets: tuple[Target, ...] = ()
    objectives: tuple[Objective, ...] = (
        Objective("top1_accuracy", "maximize"),
        Objective("size_bytes", "minimize"),
        Objective("latency_s", "minimize"),
    )
    metrics: tuple[str, ...] = ()
    preset: str | None = None
    rounds: int = 15
    runs: int = 50
    turn_s: float = 0.015
    test_samples: int | None = None
    seed: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    further_targets: tuple[Target, ...] = ()
    precision: float = 0.02
    budget_s: float = 3.0
    chains: tuple[Chain, ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON, to be read with `lab.spec.reading.spec_from_json`."""
        return {
            "model": self.model,
            "preset": self.preset,
            "seed": self.seed,
            "test_samples": self.test_samples,
            "space": {t: {o: list(v) for o, v in opts.items()} for t, opts in self.space.items()},
            "chains": [
                [
                    {t: {o: list(v) for o, v in opts.items()} for t, opts in stage.items()}
                    for stage in c
                ]
                for c in self.chains
            ],
            "recipes": [r.to_json() for r in self.recipes],
            "targets": [t.to_json() for t in self.targets],
            "further_targets": [t.to_json() for t in self.further_targets],
            "objectives": [asdict(o) for o in self.objectives],
            "metrics": list(self.metrics),
            "rounds": self.rounds,
            "runs": self.runs,
            "turn_s": self.turn_s,
            "precision": self.precision,
            "budget_s": self.budget_s,
            "about": dict(self.about),
            "search": dict(self.search),
        }


@dataclass(frozen=True)
class Study:
    """Study: a spec and its state; its trials are stored separately."""

    id: str
    model: str
    state: State
    spec: StudySpec
    title: str = ""
    created_at: str = ""
    finished_at: str | None = None
    revision: int = 0
    error: Mapping[str, Any] | None = None
