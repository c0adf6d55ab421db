"""Requests to Dask workers: build a file, evaluate a variant, measure the variants of a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lab.spec.reading import spec_from_json
from lab.types import ModelCard, Step, StudySpec, Target, digest_of


@dataclass(frozen=True)
class BuildRequest:
    """Apply one step to the file that the step before made.

    Attributes:
        key: of the step, see `lab.engine.keys.step_key`.
        data: folder with the arrays of the dataset.
    """

    study: str
    key: str
    step: Step
    card: ModelCard
    data: str

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "step": self.step.to_json(), "card": self.card.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        step = Step(value["step"]["technique"], dict(value["step"].get("params", {})))
        card = ModelCard.from_json(value["card"])
        return cls(value["study"], value["key"], step, card, value["data"])


@dataclass(frozen=True)
class TargetRequest:
    """The part that evaluating and measuring share.

    Attributes:
        data: folder with the arrays of the dataset.
        environment: id of the environment of the machine that works on it.
    """

    study: str
    target: Target
    card: ModelCard
    data: str
    spec: StudySpec
    environment: str

    @property
    def data_digest(self) -> str:
        """Digest of the dataset: the name of its folder."""
        return Path(self.data).name

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        values = {name: getattr(self, name).to_json() for name in ("target", "card", "spec")}
        return {**vars(self), **values}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        values = {
            "target": Target.from_json(value["target"]),
            "card": ModelCard.from_json(value["card"]),
            "spec": spec_from_json(value["spec"]),
        }
        return cls(**{**value, **values})


@dataclass(frozen=True)
class EvaluateRequest(TargetRequest):
    """Predict the test set with a variant.

    Attributes:
        label: the variant, as the list of jobs names it.
    """

    label: str = ""
    is_baseline: bool = False


@dataclass(frozen=True)
class MeasureRequest(TargetRequest):
    """Measure latency and memory of all variants of a target.

    Attributes:
        remeasure: whether to measure again those that are known.
    """

    remeasure: bool = False

    @property
    def item_file(self) -> Path:
        """File with the one test item that is timed, as the model takes it."""
        return Path(self.data) / f"item-{digest_of(asdict(self.card.input))[:12]}.npy"
