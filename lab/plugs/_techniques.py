"""What turns a file into a file, and what it may use for it."""

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
    """What a technique may learn from; nothing of it is in the test set.

    Attributes:
        x: training items as the model takes them, shape (n, *card.input.shape); y: their truth.
        x_check, y_check: items held out, to see how a training goes.
        learns: what answers are compared with: class numbers, the inputs themselves, or values.
        source: where the items are from, in words.
        augment: batch of items -> the batch, varied, as the framework's tensors; how the model was
            trained at first.
        smoothing: share of the truth that is spread over all classes.
        rate: the highest learning rate of the model's first training; None where it is not known.
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
    """Stands where nothing may train.

    Raises:
        InvalidFile: always.
    """
    raise InvalidFile("There is nothing to train on", remedy="Mark the technique with trains=True")


@dataclass(frozen=True)
class Context:
    """What a technique may use besides its source file.

    Attributes:
        workdir: an empty folder of this job's own.
        card: the model being compressed.
        calibration: n -> calibration inputs as the model takes them, shape (n, *card.input.shape).
            Which ones is told by
            the step's options `calibration_seed` and `calibration_source`; the same ones each time.
        labelled: n -> (x, y), calibration items with their truth, for techniques that watch the
            task's own metric.
        note: keeps a fact about the job under a name; it is shown on the trial.
        training: () -> what may be learnt from; for techniques that are marked with `trains`.
        checkpoint: a folder that outlives the process, the same one each time the job is tried;
            None where nothing is kept.
        tell: shows a training's curve while it runs, see `lab.finetuning.loop.Course`.
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
    "integer_weights": "stores weights as integers, in whatever type operators compute",
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
    """Turns a file into a file.

    Attributes:
        accepts, produces: formats.
        toolchain: which warm process it runs in: "light" has onnx, onnxruntime and
            ai-edge-quantizer, "nncf" has OpenVINO too.
        apply: (source file, params, context) -> the file it wrote inside context.workdir.
        name: params -> the speaking name, as decoded in `lab.compress.naming`; "" for a conversion,
            which changes no number.
        conversion: True where the planner may insert it by itself.
        only_first: True for a conversion that takes float files only, so that it is inserted before
            any other technique.
        version: raised when the same params would give another file.
        valid: params -> False for combinations that a grid skips because they mean the same as
            another one.
        extra: preset -> further settings that it tries one by one, where the whole grid would be
            too large: what is not named
            is at its default.
        role: what it does in a composition: "prune" makes the float model smaller, "tune" trains
            it, "quantize" is all else.
        composed: preset -> the settings of it that take part in that preset's compositions, see
            `lab.spec.chains`.
        purposes: the PURPOSES that it serves best in its format, each with the setting that it
            needs, as the end of a sentence; "" where it serves them as it comes.
        trains: True where it learns from the training set: it has processes of its own, may take
            hours, and shows a curve.
        typical_s: seconds it takes as a rule; a first guess until the store knows better.
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
        """The package that must be installed first, or None."""
        return missing_package(self.requires)

    @property
    def pool(self) -> str:
        """The processes that it runs in."""
        return f"{self.toolchain}_training" if self.trains else self.toolchain
