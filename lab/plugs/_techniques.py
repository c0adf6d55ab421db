"""Techniques, which turn a file into a file, and the context in which they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab.errors import InvalidFile
from lab.options import Option
from lab.plugs._packages import Array, Toolchain, missing_package
from lab.types import ModelCard


@dataclass(frozen=True)
class TrainingSet:
    """Training data of a technique, which contains no test items.

    Attributes:
        x: training items in the model's input format, shape (n, *card.input.shape).
        y: their true values.
        x_check, y_check: held-out items that monitor a training.
        learns: target of the predictions: class indices, the inputs themselves, or values.
        source: origin of the items, in words.
        augment: batch of items -> augmented batch, as the framework's tensors; the same as in the
            model's first training.
        smoothing: share of label smoothing over all classes.
        rate: the highest learning rate of the model's first training; None if unknown.
    """

    x: Array
    y: Array
    x_check: Array
    y_check: Array
    learns: Literal["classes", "inputs", "values"] = "classes"
    source: str = "training set"
    augment: Callable[[Any], Any] | None = None
    smoothing: float = 0.0
    rate: float | None = None


def no_training() -> TrainingSet:
    """Raise, for techniques that must not train.

    Raises:
        InvalidFile: always.
    """
    raise InvalidFile("There is no training data", remedy="Mark the technique with trains=True")


@dataclass(frozen=True)
class Context:
    """Context of a technique: its resources besides the source file.

    Attributes:
        workdir: an empty folder of this job.
        card: the model being compressed.
        calibration: n -> calibration inputs in the model's input format, shape (n,
            *card.input.shape). The step's options `calibration_seed` and `calibration_source`
            select them; they are the same in each run.
        labelled: n -> (x, y), labelled calibration items, for techniques that monitor the task's
            metric.
        note: stores a fact about the job under a name; it is shown on the trial.
        training: () -> training data, for techniques that are marked with `trains`.
        checkpoint: a folder that outlives the process and is the same for all attempts of the job;
            None if nothing is kept.
        tell: shows the curve of a running training, see `lab.finetuning.loop.Course`.
    """

    workdir: Path
    card: ModelCard
    calibration: Callable[[int], Array]
    labelled: Callable[[int], tuple[Array, Array]]
    note: Callable[[str, Any], None] = lambda name, value: None
    training: Callable[[], TrainingSet] = no_training
    checkpoint: Path | None = None
    tell: Callable[[Mapping[str, Any]], None] = lambda curve: None


PURPOSES = {
    "static_integers": "makes weights and activations integers beforehand, from calibration items",
    "integer_weights": "stores weights as integers; operators may compute in another type",
    "embeddings": "stores embeddings as integers",
    "short_names": "shortens the names inside the file",
    "sparse_file": "leaves zeros out of the file",
    "channel_pruning": "removes whole channels",
    "weight_pruning": "sets single weights to zero",
    "fine_tuning": "continues training",
    "grid_training": "trains on the grid of a later quantizer",
}
"""Jobs for which rules and lessons look a technique up by its format, without knowing its id."""


@dataclass(frozen=True)
class Technique:
    """Technique that turns a file into a file.

    Attributes:
        accepts, produces: formats.
        toolchain: the warm process it runs in: "light" has onnx, onnxruntime and ai-edge-quantizer,
            "nncf" also has OpenVINO.
        apply: (source file, params, context) -> the file it wrote inside context.workdir.
        name: params -> the speaking name, see `lab.compress.naming`; "" for conversions, which
            change no weights.
        conversion: True if the planner may insert it by itself.
        only_first: True for a conversion that only accepts float files, so that it is inserted
            before any other technique.
        version: raised when the same params give another file.
        valid: params -> False for combinations that a grid skips because they are equivalent to
            another one.
        extra: preset -> further settings that are tried one by one if the whole grid would be too
            large; the other options have their defaults.
        role: role in a composition: "prune" makes the float model smaller, "tune" trains it,
            "quantize" is anything else.
        composed: preset -> its settings in that preset's compositions, see `lab.spec.chains`.
        purposes: the PURPOSES that it serves best in its format, each with the setting that it
            needs, as the end of a sentence; "" if the defaults serve it.
        trains: True if it uses the training set: it has separate processes, may take hours, and
            shows a curve.
        typical_s: typical seconds of a run, a first guess until measured times are stored.
    """

    id: str
    title: str
    help: str
    accepts: tuple[str, ...]
    produces: str
    apply: Callable[[Path, Mapping[str, Any], Context], Path]
    name: Callable[[Mapping[str, Any]], str] = lambda params: ""
    options: tuple[Option, ...] = ()
    toolchain: Toolchain = "light"
    requires: tuple[str, ...] = ()
    conversion: bool = False
    only_first: bool = False
    needs_calibration: bool = False
    trains: bool = False
    purposes: Mapping[str, str] = field(default_factory=dict)
    role: Literal["prune", "tune", "quantize"] = "quantize"
    composed: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    presets: tuple[str, ...] = ("quick", "standard", "full")
    valid: Callable[[Mapping[str, Any]], bool] = lambda params: True
    extra: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    version: int = 1
    timeout_s: float = 600.0
    typical_s: float = 1.0

    @property
    def missing(self) -> str | None:
        """Return the package that must be installed first, or None."""
        return missing_package(self.requires)

    @property
    def pool(self) -> str:
        """Return the kind of process in which it runs."""
        return f"{self.toolchain}_training" if self.trains else self.toolchain
