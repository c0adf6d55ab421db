"""Datasets, and the training of sample models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.lazy import np
from lab.plugs._packages import Array, missing_package


def arrays_digest(arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes, in the given order."""
    from hashlib import sha256

    total = sha256()
    for name, array in arrays.items():
        a = np.ascontiguousarray(array)
        total.update(f"{name} {a.dtype.str} {a.shape}".encode())
        total.update(a.tobytes())
    return total.hexdigest()


@dataclass(frozen=True)
class Splits:
    """Calibration and test items, which neither overlap nor occur in the training set.

    x arrays have shape (items, *item shape). y arrays hold the true value of each item: class
    indices for classification, shape (items,), int64; 0 for normal and 1 for anomalous in anomaly
    detection; other tasks define their own.
    """

    x_calibration: Array
    y_calibration: Array
    x_test: Array
    y_test: Array

    def digest(self) -> str:
        """Return the SHA-256 of names, dtypes, shapes and bytes of all four arrays."""
        return arrays_digest({name: getattr(self, name) for name in ARRAYS})


ARRAYS = ("x_calibration", "y_calibration", "x_test", "y_test")


@dataclass(frozen=True)
class SourceFile:
    """File that a dataset's publisher offers for download."""

    url: str
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """Return the last part of its address."""
        return self.url.rsplit("/", 1)[-1]


def sources_digest(sources: Sequence[SourceFile], version: int) -> str:
    """Return the digest that identifies splits made from published files.

    Args:
        version: version of the code that makes the splits; raised when their content changes.
    """
    from hashlib import sha256

    return sha256(
        " ".join([str(version), *(source.sha256 for source in sources)]).encode()
    ).hexdigest()


@dataclass(frozen=True)
class Dataset:
    """Dataset, fixed by seed and digest.

    Attributes:
        load: () -> Splits; the lab rejects splits with another digest. Takes seconds at most.
        digest: digest of the splits; for downloaded data, `sources_digest` of the files they are
            made from.
        training: () -> (x, y) of the training set, created only for training.
        training_digest: `arrays_digest` of {"x": x, "y": y}; for downloaded data, as `digest`.
        preview: n -> (x, y), the first n test items, in milliseconds; None if loading is as fast.
        show: representation of an item on the Models page: "image", "spectrogram", "waveform",
            "text" or "none".
        show_shape: (time, frequency) of a spectrogram that is stored flat; empty if items have the
            shape in which they are drawn.
        picture: items -> arrays to draw, if the stored values are not suitable.
        decode: item array -> text, for data shown as text.
        test_items: number of items in the test set, for lists that must not load it.
        sources: published files of data that is downloaded when it is first loaded; their digests
            are checked.
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
        """Return the package that must be installed first, or None."""
        return missing_package(self.requires)


@dataclass(frozen=True)
class Training:
    """Settings of one run of a sample model's recipe; the recipe itself defines the model.

    The recipe is `train(training)` in the model's file. It writes the weights, named as the card's
    file, and the record {"baseline": {metric: JSON}, "seconds", "dataset_digest",
    "training_digest", …} as ID.json into the folder.

    Attributes:
        folder: folder for both files.
        seed: seed that replaces the recipe's own.
        bf16: compute in bfloat16 where the framework considers it safe; weights stay float32.
        epochs: number of epochs that replaces the recipe's own, for a quick test.
        progress: callback after each epoch with (epochs done, epochs in total, observations).
    """

    folder: Path
    seed: int | None = None
    bf16: bool = False
    epochs: int | None = None
    progress: Callable[[int, int, str], None] = lambda done, total, text: None
