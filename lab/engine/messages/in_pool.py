"""Requests to pool processes and their results: plain values and paths, no open files or models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from lab.engine.messages.outcomes import Failure, measurements_from_json, measurements_json
from lab.types import InputSpec, Measurement, ModelCard, Step

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessResult(Generic[T]):
    """Result of a process, with the work folder that holds its files.

    `lab.engine.pools.discard` removes the folder once the files are in the store.
    """

    result: T | Failure
    workdir: Path


@dataclass(frozen=True)
class PoolBuildRequest:
    """Apply a technique to a file.

    Attributes:
        source: the file.
        data: folder with the arrays of the dataset.
        checkpoint: folder from which a training can go on; None for none.
    """

    step: Step
    source: str
    card: ModelCard
    data: str
    checkpoint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "step": self.step.to_json(), "card": self.card.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        step = Step(value["step"]["technique"], dict(value["step"].get("params", {})))
        card = ModelCard.from_json(value["card"])
        return cls(**{**value, "step": step, "card": card})


@dataclass(frozen=True)
class PoolBuilt:
    """A file that a technique made, in the work folder.

    Attributes:
        notes: remarks of the technique.
        inspection: see `lab.formats.inspect.inspect`.
        curves: of its training, one a phase.
    """

    file: str
    format: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    inspection: Mapping[str, Any] = field(default_factory=dict)
    curves: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "curves": list(self.curves)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**{**value, "curves": tuple(value.get("curves", ()))})


@dataclass(frozen=True)
class PoolEvaluateRequest:
    """Predict the test set with a file in a runtime.

    Attributes:
        test_samples: number of test items; None for all.
        metrics: ids of the metrics to compute.
        baseline_file, baseline_outputs: of the float baseline; None for the baseline itself, and
            where it could not be evaluated: nothing is compared with it then.
        emulate, read_anatomy: whether to emulate other processors, and to read the contents of the
            file.
    """

    runtime: str
    options: Mapping[str, Any]
    file: str
    format: str
    card: ModelCard
    data: str
    metrics: tuple[str, ...]
    test_samples: int | None = None
    is_baseline: bool = False
    baseline_file: str | None = None
    baseline_outputs: str | None = None
    emulate: bool = False
    read_anatomy: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        values = {"options": dict(self.options), "metrics": list(self.metrics)}
        return {**vars(self), **values, "card": self.card.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        card, metrics = ModelCard.from_json(value["card"]), tuple(value["metrics"])
        return cls(**{**value, "card": card, "metrics": metrics})


@dataclass(frozen=True)
class PoolEvaluated:
    """Outputs of a file on the test set.

    Attributes:
        outputs: file with the outputs (.npz).
        correct: which items were predicted correctly, see `lab.analysis.differences.pack`.
        emulated: outputs on other processors, see `lab.engine.emulating`.
        anatomy: file with the contents of the model file (.json); None where it could not be read.
    """

    outputs: str
    measurements: Mapping[str, Measurement]
    correct: Mapping[str, Any] | None = None
    emulated: Mapping[str, Any] = field(default_factory=dict)
    anatomy: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "measurements": measurements_json(self.measurements)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**{**value, "measurements": measurements_from_json(value["measurements"])})


@dataclass(frozen=True)
class ProbeRequest:
    """Measure the task's own metric under several ways to turn stored items into model input.

    Attributes:
        items: number of calibration items; None for all test items.
    """

    runtime: str
    file: str
    data: str
    task: str
    candidates: tuple[InputSpec, ...]
    items: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        candidates = tuple(InputSpec.from_json(entry) for entry in value["candidates"])
        return cls(**{**value, "candidates": candidates})


@dataclass(frozen=True)
class Probed:
    """The metric under each way, in the order of the candidates."""

    measurements: tuple[Measurement, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {"measurements": [{"metric": m.metric, **m.to_json()} for m in self.measurements]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        entries = value["measurements"]
        return cls(tuple(Measurement.from_json(entry["metric"], entry) for entry in entries))
