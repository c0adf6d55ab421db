"""Outcomes of jobs: a built file, an evaluation, a measurement, or a failure.

The store keeps them as JSON for every later study, so the keys stay as they are, and rows of older
versions, which lack some, can be read. `cached` and `seconds` describe one use and are not stored.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeVar

from lab.errors import LabError
from lab.types import Artifact, Measurement

LONGEST_MESSAGE, LONGEST_TRACEBACK = 4000, 6000


@dataclass(frozen=True)
class Failure:
    """A job that failed; it flows through the graph in place of a result.

    Attributes:
        type: name of the exception.
        remedy, traceback: None where the failure did not come from an exception.
        job, key: kind and key of the job that failed.
        environment: id of the environment in which it failed.
    """

    type: str
    message: str
    remedy: str | None = None
    traceback: str | None = None
    job: str | None = None
    key: str | None = None
    environment: str | None = None
    cached: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """The failure that an exception stands for."""
        trace = "".join(traceback.format_exception(error))
        return cls(
            type(error).__name__,
            (str(error) or type(error).__name__)[:LONGEST_MESSAGE],
            error.remedy if isinstance(error, LabError) else "",
            trace[-LONGEST_TRACEBACK:],
        )

    def error_json(self) -> dict[str, Any]:
        """The error as trials and studies keep it."""
        names = ("type", "message", "remedy", "traceback", "job", "key")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @classmethod
    def from_error(cls, error: Mapping[str, Any]) -> Self:
        """Inverse of `error_json`; an error that another process wrote may hold less."""
        get = error.get
        return cls(
            str(get("type", "JobError")),
            str(get("message", "")),
            get("remedy"),
            get("traceback"),
            get("job"),
            get("key"),
        )

    @staticmethod
    def is_stored_in(value: Mapping[str, Any]) -> bool:
        """True if a stored outcome is a failure."""
        return "error" in value

    def to_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        where = {} if self.environment is None else {"environment": self.environment}
        return {"error": self.error_json(), **where}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, cached: bool = False) -> Self:
        """Inverse of `to_json`."""
        failure = cls.from_error(value["error"])
        return replace(failure, environment=value.get("environment"), cached=cached)


@dataclass(frozen=True)
class Built:
    """A file that a step made.

    Attributes:
        notes: remarks of all steps so far.
        inspection: see `lab.formats.inspect.inspect`.
        training: curves of all trainings so far.
        seconds: duration of the job; None where it was cached.
    """

    artifact: Artifact
    notes: Mapping[str, Any] = field(default_factory=dict)
    inspection: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[Mapping[str, Any], ...] = ()
    cached: bool = False
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return {
            "artifact": self.artifact.to_json(),
            "notes": dict(self.notes),
            "inspection": dict(self.inspection),
            "training": list(self.training),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, cached: bool = False) -> Self:
        """Inverse of `to_json`."""
        return cls(
            Artifact.from_json(value["artifact"]),
            value.get("notes") or {},
            value.get("inspection") or {},
            tuple(value.get("training") or ()),
            cached,
        )

    def details_json(self) -> dict[str, Any]:
        """Entries of a trial's details that the build gives."""
        return {
            "notes": dict(self.notes),
            "build_s": self.seconds,
            "build_cached": self.cached,
            **({"training": list(self.training)} if self.training else {}),
        }


@dataclass(frozen=True)
class Evaluated:
    """Outputs of a variant on the test set, and the metrics that follow from them.

    Attributes:
        outputs: file with the outputs (.npz).
        correct: which items were predicted correctly, see `lab.analysis.differences.pack`.
        emulated: outputs on other processors, see `lab.engine.emulating`.
        anatomy: file with the contents of the model file; None where it could not be read.
    """

    outputs: Artifact
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    correct: Mapping[str, Any] | None = None
    emulated: Mapping[str, Any] = field(default_factory=dict)
    environment: str | None = None
    anatomy: Artifact | None = None
    cached: bool = False
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return {
            "outputs": self.outputs.to_json(),
            "measurements": measurements_json(self.measurements),
            "right": self.correct,
            "elsewhere": dict(self.emulated),
            "environment": self.environment,
            "anatomy": self.anatomy.to_json() if self.anatomy else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, cached: bool = False) -> Self:
        """Inverse of `to_json`."""
        return cls(
            Artifact.from_json(value["outputs"]),
            measurements_from_json(value.get("measurements")),
            value.get("right"),
            value.get("elsewhere") or {},
            value.get("environment"),
            _artifact(value.get("anatomy")),
            cached,
        )

    def details_json(self) -> dict[str, Any]:
        """Entries of a trial's details that the evaluation gives."""
        return {
            "outputs": self.outputs.to_json(),
            "evaluate_s": self.seconds,
            "right": self.correct,
            "elsewhere": dict(self.emulated),
            "anatomy": self.anatomy.to_json() if self.anatomy else None,
        }


@dataclass(frozen=True)
class Measured:
    """Latency and memory of a variant on a target.

    Attributes:
        samples: file with the raw timings.
        profile: file with the time of each operator; None where it was not profiled.
        timing: see `lab.measure.quality.timing_of`.
        memory: {"mapped_bytes": …}.
    """

    measurements: Mapping[str, Measurement]
    samples: Artifact | None = None
    profile: Artifact | None = None
    timing: Mapping[str, Any] | None = None
    memory: Mapping[str, Any] | None = None
    environment: str | None = None
    cached: bool = False

    def to_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return {
            "measurements": measurements_json(self.measurements),
            "samples": self.samples.to_json() if self.samples else None,
            "profile": self.profile.to_json() if self.profile else None,
            "timing": self.timing,
            "memory": self.memory,
            "environment": self.environment,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, cached: bool = False) -> Self:
        """Inverse of `to_json`."""
        get = value.get
        return cls(
            measurements_from_json(get("measurements")),
            _artifact(get("samples")),
            _artifact(get("profile")),
            get("timing"),
            get("memory"),
            get("environment"),
            cached,
        )

    def details_json(self) -> dict[str, Any]:
        """Entries of a trial's details that the measurement gives."""
        whole = self.to_json()
        names = ("samples", "profile", "timing", "memory")
        return {name: whole[name] for name in names if whole[name]}


class Stored(Protocol):
    """An outcome that can be read from the store."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, cached: bool = False) -> Self:
        """Inverse of `to_json`."""


T = TypeVar("T", bound=Stored)


def outcome_from_json(
    kind: type[T], value: Mapping[str, Any], *, cached: bool = False
) -> T | Failure:
    """Read a stored outcome: one of that kind, or a failure."""
    return (Failure if Failure.is_stored_in(value) else kind).from_json(value, cached=cached)


def measurements_json(measurements: Mapping[str, Measurement]) -> dict[str, Any]:
    """Measurements as JSON, by metric id."""
    return {id_: measurement.to_json() for id_, measurement in measurements.items()}


def measurements_from_json(value: Mapping[str, Any] | None) -> dict[str, Measurement]:
    """Inverse of `measurements_json`."""
    return {id_: Measurement.from_json(id_, entry) for id_, entry in (value or {}).items()}


def _artifact(value: Mapping[str, Any] | None) -> Artifact | None:
    return Artifact.from_json(value) if value else None
