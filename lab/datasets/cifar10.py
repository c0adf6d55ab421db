"""CIFAR-10: small photographs in ten classes, downloaded from the publisher on first use."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.datasets._download import Progress, fetch_all
from lab.datasets._split import stratified
from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array, Dataset, SourceFile, Splits, sources_digest

ARCHIVE = SourceFile(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
)
"""Digest from Keras' loader (keras/src/datasets/cifar10.py), size from the server."""
VERSION = 1
TRAIN_BATCHES = tuple(f"data_batch_{n}" for n in range(1, 6))
CALIBRATION_ITEMS = 512


def load(progress: Progress | None = None) -> Splits:
    """Return the publisher's test set, and calibration items from its training set; x is (items,
    32, 32, 3) float32 in 0..1.
    """
    x, y = read_batches(_archive(progress), TRAIN_BATCHES)
    calibration, _ = _deal(x, y)
    x_test, y_test = read_batches(_archive(progress), ("test_batch",))
    return Splits(_scale(x[calibration]), y[calibration], _scale(x_test), y_test)


def training() -> tuple[Array, Array]:
    """Return the publisher's training set without the calibration items, in the same shapes."""
    x, y = read_batches(_archive(), TRAIN_BATCHES)
    _, train = _deal(x, y)
    return _scale(x[train]), y[train]


def _archive(progress: Progress | None = None) -> Path:
    return fetch_all(DATASET.id, DATASET.sources, progress)[DATASET.sources[0].name]


def _deal(x: Array, y: Array) -> tuple[list[int], list[int]]:
    """Return the rows of the calibration set and of the training set."""
    calibration, train = stratified(
        [item.tobytes() for item in x], y, [CALIBRATION_ITEMS / len(y)], seed=DATASET.id
    )
    return calibration, train


def _scale(x: Array) -> Array:
    return x.astype(np.float32) / np.float32(255)


def read_batches(archive: Path, names: Iterable[str]) -> tuple[Array, Array]:
    """Return batches of the archive, concatenated; nothing is unpacked to disk.

    Returns:
        x (items, 32, 32, 3) uint8 and y (items,) int64.

    Raises:
        InvalidFile: a batch is missing or differs from the publisher's description.
    """
    import tarfile

    wanted = {f"cifar-10-batches-py/{name}": name for name in names}
    found: dict[str, tuple[Array, Array]] = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            if member.name in wanted and (stream := tar.extractfile(member)) is not None:
                found[member.name] = _read_batch(stream.read())
    if absent := [name for member, name in wanted.items() if member not in found]:
        raise InvalidFile(f"{archive} lacks {', '.join(absent)}")
    batches = [found[member] for member in wanted]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def _read_batch(pickled: bytes) -> tuple[Array, Array]:
    """Return rows, each of 1 024 red, green and blue values, and labels."""
    batch = PlainUnpickler(io.BytesIO(pickled), encoding="bytes").load()
    rows, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"], dtype=np.int64)
    if rows.dtype != np.uint8 or rows.shape != (len(labels), 3 * 32 * 32):
        raise InvalidFile(
            "A batch of CIFAR-10 has another form",
            allowed="uint8 rows of 3 072",
            given=(rows.dtype.str, rows.shape),
        )
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


class PlainUnpickler(pickle.Unpickler):
    """Unpickler that only makes arrays, numbers, bytes, lists and dictionaries: a pickle could call
    any function.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three objects that numpy needs to pickle arrays.

        Raises:
            UnpicklingError: the pickle names anything else.
        """
        if module.startswith("numpy") and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data file")


DATASET = Dataset(
    id="cifar10",
    title="CIFAR-10, small photographs",
    task="classification",
    load=load,
    training=training,
    digest=sources_digest((ARCHIVE,), VERSION),
    training_digest=sources_digest((ARCHIVE,), VERSION),
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    provenance=(
        "A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009; fetched from"
        " its author's page at the University of Toronto. The test set is the publisher's, which"
        " has near-duplicates of training images for about 3 % of its items (Barz, Denzler 2020,"
        " arXiv:1902.00423); 512 training images are the calibration set."
    ),
    licence="none stated; free to use with citation",
    show="image",
    test_items=10_000,
    sources=(ARCHIVE,),
    tags=("image", "online"),
)
