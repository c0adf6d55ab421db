"""Data sets, and the training of sample models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.lazy import np
from lab.plugs._packages import Array, missing_package


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
    """What variants are calibrated and judged on: items that never overlap, nor occur in the
    training set.

    x arrays have shape (items, *item shape); y arrays hold the truth of each item: for
    classification class numbers,
    shape (items,), int64; for anomaly detection 0 for normal and 1 for anomalous; for other tasks
    what the task says.
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

    return sha256(
        " ".join([str(version), *(source.sha256 for source in sources)]).encode()
    ).hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A data set, fixed by seed and digest.

    Attributes:
        load: () -> Splits; the same digest each time, or the lab refuses it. Takes seconds at most.
        digest: of the splits; for data from the net, `sources_digest` of the files that they are
            made of.
        training: () -> (x, y) of the training set, made only when something trains.
        training_digest: `arrays_digest` of {"x": x, "y": y}; for data from the net, as `digest`.
        preview: n -> (x, y), the first n test items, in milliseconds; None where loading is as
            quick.
        show: how the Models page draws an item: "image", "spectrogram", "waveform", "text" or
            "none".
        show_shape: (time, frequency) of a spectrogram that is stored flat; empty where items have
            the shape they are drawn in.
        picture: items -> what is drawn of them, where the stored numbers are not what a person
            would look at.
        decode: item array -> text, for data shown as text.
        test_items: how many items the test set has, for lists that must not load it.
        sources: the published files, for data that is fetched from the net when it is first loaded;
            their digests are checked.
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
    """How a sample model's recipe is run this time; what makes the model what it is stays in the
    recipe.

    The recipe is `train(training)` in the model's file. It writes the weights, named as the card's
    file, and the record
    {"baseline": {metric: JSON}, "seconds", "dataset_digest", "training_digest", …} as ID.json into
    the folder.

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
