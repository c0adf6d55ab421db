"""Values about models: cards, inputs, layers, measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Source = Literal["measured", "emulated", "estimated"]


@dataclass(frozen=True)
class InputSpec:
    """Input of a model, without the batch axis.

    Attributes:
        shape: sizes of one item's axes.
        dtype: numpy name of the model's input type.
        layout: "NHWC", "NCHW", "NT" (token ids) or "N" (features).
        scale, offset: stored data become model input as `x * scale + offset`.
        data_layout: layout of the stored data; differs from `layout` if the lab transposes.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    layout: str = "N"
    scale: float = 1.0
    offset: float = 0.0
    data_layout: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`."""
        return cls(**{**value, "shape": tuple(value["shape"])})


@dataclass(frozen=True)
class Measurement:
    """Measured value with its origin.

    Attributes:
        low, high: 95 % interval, or None if the value is exact (a size).
        n: number of samples.
        flags: warnings about it, such as "contended".
        parts: its parts, such as one value per class; a part's `metric` is its name, such as the
            class number.
    """

    metric: str
    value: float
    unit: str
    n: int = 1
    low: float | None = None
    high: float | None = None
    source: Source = "measured"
    flags: tuple[str, ...] = ()
    parts: tuple[Measurement, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON without the metric's id, which is the key in a trial's measurements."""
        parts = (
            {"parts": {part.metric: part.to_json() for part in self.parts}} if self.parts else {}
        )
        return {
            "value": self.value,
            "unit": self.unit,
            "n": self.n,
            "low": self.low,
            "high": self.high,
            "source": self.source,
            "flags": list(self.flags),
            **parts,
        }

    @classmethod
    def from_json(cls, metric: str, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        get, flags, parts = value.get, value.get("flags"), value.get("parts")
        return cls(
            metric,
            value["value"],
            value["unit"],
            get("n", 1),
            get("low"),
            get("high"),
            get("source", "measured"),
            tuple(flags) if flags else (),
            tuple([cls.from_json(name, part) for name, part in parts.items()]) if parts else (),
        )


@dataclass(frozen=True)
class ModelCard:
    """Description of a model that a study starts from.

    Attributes:
        format: format of the source file (`keras`, `torch_export`, `onnx`, `tflite`).
        path: the source file.
        dataset: id of its dataset.
        baseline: metric id -> Measurement of the float model by its author.
        provenance: origin of the weights.
    """

    id: str
    title: str
    task: str
    framework: str
    format: str
    path: str
    input: InputSpec
    dataset: str
    class_names: tuple[str, ...] = ()
    licence: str = ""
    provenance: str = ""
    description: str = ""
    parameters: int | None = None
    macs: int | None = None
    baseline: Mapping[str, Measurement] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON."""
        return {**asdict(self), "baseline": {k: m.to_json() for k, m in self.baseline.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        baseline = {k: Measurement.from_json(k, m) for k, m in value.get("baseline", {}).items()}
        return cls(
            **{
                **value,
                "input": InputSpec.from_json(value["input"]),
                "baseline": baseline,
                "class_names": tuple(value.get("class_names", ())),
            }
        )


@dataclass(frozen=True)
class Layer:
    """Layer in a model's layer table.

    Attributes:
        output_shape: output shape of one item, without the batch axis.
        parameters: number of its stored parameters; those shared by several layers count for the
            first.
        macs: multiply-accumulate operations for one item; None if unknown from the shapes.
        activation_bytes: bytes of its output for one item.
        inputs: names of the layers that it reads.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int | None
    activation_bytes: int
    inputs: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`."""
        lists = {name: tuple(value.get(name, ())) for name in ("output_shape", "inputs")}
        return cls(**{**value, **lists})
