"""What one file adds: the shape of a technique, a runtime, a machine, a metric, a rule, a task, a data set and a sample model.

A plug is a value, not a class to inherit from: its file defines one module-level constant (TECHNIQUE, RUNTIME, MACHINE,
METRIC, RULE, TASK, DATASET or CARD), and the registry finds it. Importing a plug's file loads no framework: heavy imports live in its functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lab.errors import InvalidFile, MissingPackage
from lab.evidence import Anatomy, Finding, Profile, Roofline
from lab.lazy import np
from lab.options import Option
from lab.types import Measurement, ModelCard, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = Any
Toolchain = Literal["light", "nncf", "torch", "tensorflow"]
"""What a job's process has loaded; what trains has processes of its own, "torch_training" and "tensorflow_training"."""


@cache
def missing_package(requires: tuple[str, ...]) -> str | None:
    """The first required package (pip name, with `-` for `_`) that is not installed, without importing any."""
    return next((name for name in requires if find_spec(module_of(name)) is None), None)


def module_of(package: str) -> str:
    """The module that a pip package brings."""
    return _MODULES.get(package, package.replace("-", "_"))


_MODULES = {"scikit-learn": "sklearn"}


@dataclass(frozen=True)
class TrainingSet:
    """What a technique may learn from; nothing of it is in the test set.

    Attributes:
        x: training items as the model takes them, shape (n, *card.input.shape); y: their truth.
        x_check, y_check: items held out, to see how a training goes.
        learns: what answers are compared with: class numbers, the inputs themselves, or values.
        source: where the items are from, in words.
        augment: batch of items -> the batch, varied, as the framework's tensors; how the model was trained at first.
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
        calibration: n -> calibration inputs as the model takes them, shape (n, *card.input.shape). Which ones is told by
            the step's options `calibration_seed` and `calibration_source`; the same ones each time.
        labelled: n -> (x, y), calibration items with their truth, for techniques that watch the task's own metric.
        note: keeps a fact about the job under a name; it is shown on the trial.
        training: () -> what may be learnt from; for techniques that are marked with `trains`.
        checkpoint: a folder that outlives the process, the same one each time the job is tried; None where nothing is kept.
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


@dataclass(frozen=True)
class Technique:
    """Turns a file into a file.

    Attributes:
        accepts, produces: formats.
        toolchain: which warm process it runs in: "light" has onnx, onnxruntime and ai-edge-quantizer, "nncf" has OpenVINO too.
        apply: (source file, params, context) -> the file it wrote inside context.workdir.
        name: params -> the speaking name, as decoded in `lab.recipe`; "" for a conversion, which changes no number.
        conversion: True where the planner may insert it by itself.
        only_first: True for a conversion that takes float files only, so that it is inserted before any other technique.
        version: raised when the same params would give another file.
        valid: params -> False for combinations that a grid skips because they mean the same as another one.
        extra: preset -> further settings that it tries one by one, where the whole grid would be too large: what is not named
            is at its default.
        role: what it does in a composition: "prune" makes the float model smaller, "tune" trains it, "quantize" is all else.
        composed: preset -> the settings of it that take part in that preset's compositions, see `lab.chains`.
        trains: True where it learns from the training set: it has processes of its own, may take hours, and shows a curve.
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


@dataclass(frozen=True)
class TensorInfo:
    """A model's input or output: shape with None for free axes, numpy dtype name."""

    shape: tuple[int | None, ...]
    dtype: str


class Session(Protocol):
    """A loaded model. Quantized inputs and outputs are hidden: `run` takes and gives real numbers."""

    input: TensorInfo
    output: TensorInfo

    def prepare(self, x: Array) -> Array:
        """Cast (and quantize) a batch to the type that the model takes: outside the timed part."""
        ...

    def run(self, x: Array) -> Array:
        """One call on a prepared batch, shape (batch, *input) -> (batch, *output)."""
        ...


@dataclass(frozen=True)
class Provider:
    """An execution provider or delegate: what computes a runtime's operators.

    Attributes:
        name: as the option of the runtime takes it.
        available: whether the installed build has it on this machine.
        why: what makes it available, or what is missing and how to bring it.
    """

    name: str
    available: bool
    why: str


@dataclass(frozen=True)
class Runtime:
    """Runs files of some formats.

    Attributes:
        preload: import the runtime's package and nothing else: what a bare process costs.
        load: (file, options) -> Session.
        toolchain: which warm process answers the test set in it.
        presets: those that run on it when nobody names a target.
        providers: () -> the execution providers (or delegates) that its library knows of, each with why it can be used
            here, or why not; None where it has none to choose from.
        profile: (file, options, item with its batch axis, runs) -> where the time goes, operator by operator; None where
            nothing of the library tells.
    """

    id: str
    title: str
    help: str
    formats: tuple[str, ...]
    preload: Callable[[], None]
    load: Callable[[str, Mapping[str, Any]], Session]
    options: tuple[Option, ...] = ()
    requires: tuple[str, ...] = ()
    version_of: str = ""
    toolchain: Toolchain = "light"
    presets: tuple[str, ...] = ("quick", "standard", "full")
    providers: Callable[[], tuple[Provider, ...]] | None = None
    profile: Callable[[str, Mapping[str, Any], Array, int], Profile] | None = None

    @property
    def missing(self) -> str | None:
        """The package that must be installed first, or None."""
        return missing_package(self.requires)


@dataclass(frozen=True)
class Fact:
    """What a look at a file tells about it on another machine.

    Attributes:
        text: what differs there, in words; with an operator it goes on after the operator's name.
        operator, type: the operator that it is about, "" where it is about the whole file.
        count, of: how many of how many (pairs of weights, scales) are concerned; 0 where nothing is counted.
    """

    text: str
    operator: str = ""
    type: str = ""
    count: int = 0
    of: int = 0


@dataclass(frozen=True)
class Setting:
    """How a file runs here.

    Attributes:
        runtime, options: of the target that it was evaluated on.
        features: this machine's CPU features, as `lab.measure.environment.fingerprint` tells them.
        workdir: where a machine may write files.
    """

    runtime: str
    options: Mapping[str, Any]
    features: tuple[str, ...]
    workdir: Path


@dataclass(frozen=True)
class Machine:
    """Somewhere else where a file may run and answer differently than it does here.

    Attributes:
        formats: of the files that it is known to answer differently.
        runtimes: those whose arithmetic it stands for; empty means every one that loads the format.
        differs: (file, setting) -> facts, from a look at the file that runs nothing of it on data; empty where the file
            answers there as it does here.
        load: (file, setting) -> a session that answers on this machine as the file does there.
        because: facts -> why the answers differ, as the end of a sentence: "3 pairs of weights can saturate".
        place: where, as the beginning of a sentence: "On an x86 CPU without VNNI".
        version: raised when the same file would answer otherwise.
    """

    id: str
    title: str
    help: str
    place: str
    formats: tuple[str, ...]
    differs: Callable[[Path, Setting], list[Fact]]
    load: Callable[[Path, Setting], Session]
    because: Callable[[Sequence[Fact]], str]
    runtimes: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True)
class Case:
    """All that a rule may look at to explain a trial.

    Attributes:
        trial: a complete trial; baseline: the float model on the same target, None where there is none.
        trials: all of the study's.
        anatomy, profile: of the trial; baseline_anatomy, baseline_profile: of the baseline. None where unknown.
        roofline: of the machine with the target's number of threads, None where unknown.
        environment: the machine, as `lab.measure.environment.fingerprint` tells it.
    """

    trial: Trial
    baseline: Trial | None = None
    trials: Sequence[Trial] = ()
    anatomy: Anatomy | None = None
    baseline_anatomy: Anatomy | None = None
    profile: Profile | None = None
    baseline_profile: Profile | None = None
    roofline: Roofline | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One reason why a trial is not faster or not smaller.

    Attributes:
        title: the reason in a few words; help: what it means, for who has never heard of it.
        find: case -> what was found, or None where the rule does not apply or its evidence is missing.
    """

    id: str
    title: str
    help: str
    find: Callable[[Case], Finding | None]


EVIDENCE = {
    "outputs": "float array (items, *output): what the variant answered on the test set; (items, classes) for classification",
    "labels": "array (items, …): the truth; class numbers for classification, 0 or 1 for anomaly detection",
    "inputs": "float array (items, *input): what the model was given",
    "baseline_outputs": "float array (items, *output): what the float baseline answered in the same runtime",
    "file": "uint8 array: the artifact's bytes",
    "baseline_file": "uint8 array: the bytes of the float baseline in the same format",
    "live_bytes": "1-D int array: bytes of activations alive while each operator runs, planned from the file's graph for one item",
    "latency": "list of 1-D float arrays: seconds of each timed run, one array per uncontended round",
    "batch": "int: items in each timed run",
    "cold_load": "1-D float array: seconds from opening the file to the end of the first run, in fresh processes",
    "peak_rss": "1-D float array: bytes above the bare runtime, in fresh processes",
    "arena": "1-D float array: bytes that the runtime's tensors lie in once it is ready to run, in fresh processes; LiteRT only",
    "energy": "1-D float array: joules of one call in each uncontended round, idle cores included; absent where no counter is readable",
}


@dataclass(frozen=True)
class Metric:
    """A pure function of arrays.

    Attributes:
        needs: names of the evidence it is computed from, see EVIDENCE; passed by keyword.
        compute: keyword arrays -> Measurement, or None where the number would say nothing.
        tasks: tasks it applies to; empty means all.
        noun: the word for it in a sentence, such as "latency"; the id's words by default.
        best: the word for the best of it, such as "fastest".
        more_less: the words for a larger and a smaller number, such as ("slower", "faster"); the unit's by default.
        about_both: True where it compares with the float model already, so that comparing it again says nothing.
    """

    id: str
    title: str
    help: str
    unit: str
    direction: Literal["maximize", "minimize"]
    needs: tuple[str, ...]
    compute: Callable[..., Measurement | None]
    tasks: tuple[str, ...] = ()
    noun: str = ""
    best: str = ""
    more_less: tuple[str, str] | None = None
    about_both: bool = False


@dataclass(frozen=True)
class Task:
    """What a model is for: how its answers are judged.

    Attributes:
        primary: id of the metric that is the accuracy axis of its studies.
        agreement: id of the metric that says how far a variant answers as the float model does.
        noun: the primary metric in a sentence, such as "accuracy".
        labels: whether the truth is class numbers, one an item, or values of any shape.
        answers: (outputs, inputs) -> what is compared with the truth: class numbers, scores, values; shape (items, …).
        misfit: (outputs, labels, inputs) -> what outputs must be like, where they are not; "" where they fit.
        learns: what a model is trained to answer: the labels, or the inputs themselves.
    """

    id: str
    title: str
    help: str
    primary: str
    agreement: str
    noun: str
    answers: Callable[[Array, Array], Array]
    labels: Literal["classes", "values"] = "classes"
    misfit: Callable[[Array, Array, Array], str] = lambda outputs, labels, inputs: ""
    learns: Literal["labels", "inputs"] = "labels"


def arrays_digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in the order given."""
    from hashlib import sha256

    total = sha256()
    for name, array in arrays.items():
        a = np.ascontiguousarray(array)
        total.update(f"{name} {a.dtype.str} {a.shape}".encode())
        total.update(a.tobytes())
    return total.hexdigest()


@dataclass(frozen=True)
class Splits:
    """What variants are calibrated and judged on: items that never overlap, nor occur in the training set.

    x arrays have shape (items, *item shape); y arrays hold the truth of each item: for classification class numbers,
    shape (items,), int64; for anomaly detection 0 for normal and 1 for anomalous; for other tasks what the task says.
    """

    x_calibration: Array
    y_calibration: Array
    x_test: Array
    y_test: Array

    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of all four arrays."""
        return arrays_digest({name: getattr(self, name) for name in ARRAYS})


ARRAYS = ("x_calibration", "y_calibration", "x_test", "y_test")


@dataclass(frozen=True)
class SourceFile:
    """A file that a data set's publisher offers for download."""

    url: str
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.url.rsplit("/", 1)[-1]


def sources_digest(sources: Sequence[SourceFile], version: int) -> str:
    """What stands for the digest of splits that are made of published files.

    Args:
        version: of the code that makes the splits; raised when it would make others.
    """
    from hashlib import sha256

    return sha256(" ".join([str(version), *(source.sha256 for source in sources)]).encode()).hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A data set, fixed by seed and digest.

    Attributes:
        load: () -> Splits; the same digest each time, or the lab refuses it. Takes seconds at most.
        digest: of the splits; for data from the net, `sources_digest` of the files that they are made of.
        training: () -> (x, y) of the training set, made only when something trains.
        training_digest: `arrays_digest` of {"x": x, "y": y}; for data from the net, as `digest`.
        preview: n -> (x, y), the first n test items, in milliseconds; None where loading is as quick.
        show: how the Models page draws an item: "image", "spectrogram", "waveform", "text" or "none".
        show_shape: (time, frequency) of a spectrogram that is stored flat; empty where items have the shape they are drawn in.
        picture: items -> what is drawn of them, where the stored numbers are not what a person would look at.
        decode: item array -> text, for data shown as text.
        test_items: how many items the test set has, for lists that must not load it.
        sources: the published files, for data that is fetched from the net when it is first loaded; their digests are checked.
    """

    id: str
    title: str
    task: str
    load: Callable[[], Splits]
    digest: str
    training: Callable[[], tuple[Array, Array]] | None = None
    training_digest: str = ""
    preview: Callable[[int], tuple[Array, Array]] | None = None
    class_names: tuple[str, ...] = ()
    provenance: str = ""
    licence: str = ""
    show: Literal["image", "spectrogram", "waveform", "text", "none"] = "none"
    show_shape: tuple[int, ...] = ()
    picture: Callable[[Array], Array] | None = None
    decode: Callable[[Array], str] | None = None
    test_items: int = 0
    sources: tuple[SourceFile, ...] = ()
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = field(default_factory=tuple)

    @property
    def missing(self) -> str | None:
        """The package that must be installed first, or None."""
        return missing_package(self.requires)


@dataclass(frozen=True)
class Training:
    """How a sample model's recipe is run this time; what makes the model what it is stays in the recipe.

    The recipe is `train(training)` in the model's file. It writes the weights, named as the card's file, and the record
    {"baseline": {metric: JSON}, "seconds", "dataset_digest", "training_digest", …} as ID.json into the folder.

    Attributes:
        folder: where both are written.
        seed: instead of the recipe's own.
        bf16: compute in bfloat16 where the framework thinks it safe; weights stay float32.
        epochs: instead of the recipe's own, for a quick look.
        progress: (epochs done, epochs in all, what was seen), after each epoch.
    """

    folder: Path
    seed: int | None = None
    bf16: bool = False
    epochs: int | None = None
    progress: Callable[[int, int, str], None] = lambda done, total, text: None


def require(what: str, packages: tuple[str, ...]) -> None:
    """Raise MissingPackage for the first of the packages that is not installed."""
    if (absent := missing_package(packages)) is not None:
        raise MissingPackage.of(what, absent)
