"""Fashion-MNIST: pictures of clothes in ten classes, downloaded from the publisher on first use."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

from lab.datasets._download import Progress, fetch_all
from lab.datasets._split import stratified
from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array, Dataset, SourceFile, Splits, sources_digest

PUBLISHED_AT = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
)
SOURCES = tuple(
    SourceFile(f"{PUBLISHED_AT}{name}-ubyte.gz", sha256, size_bytes)
    for name, sha256, size_bytes in (
        (
            "train-images-idx3",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26_421_880,
        ),
        (
            "train-labels-idx1",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            29_515,
        ),
        (
            "t10k-images-idx3",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4_422_102,
        ),
        (
            "t10k-labels-idx1",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            5_148,
        ),
    )
)
"""Digests and sizes from TensorFlow Datasets,
tensorflow_datasets/url_checksums/fashion_mnist.txt.
"""
VERSION = 1
CALIBRATION_ITEMS = 512
UNSIGNED_BYTES = 8
"""Type code of idx files of unsigned bytes (Y. LeCun's description of MNIST's files)."""


def load(progress: Progress | None = None) -> Splits:
    """Return the publisher's test set, and calibration items from its training set; x is (items,
    28, 28, 1) float32 in 0..1.
    """
    files = fetch_all(DATASET.id, DATASET.sources, progress)
    x, y = _read(files, "train")
    calibration, _ = _deal(x, y)
    x_test, y_test = _read(files, "t10k")
    return Splits(_scale(x[calibration]), y[calibration], _scale(x_test), y_test)


def training() -> tuple[Array, Array]:
    """Return the publisher's training set without the calibration items, in the same shapes."""
    x, y = _read(fetch_all(DATASET.id, DATASET.sources), "train")
    _, train = _deal(x, y)
    return _scale(x[train]), y[train]


def _read(files: Mapping[str, Path], part: str) -> tuple[Array, Array]:
    x = read_idx(files[f"{part}-images-idx3-ubyte.gz"], 3)
    y = read_idx(files[f"{part}-labels-idx1-ubyte.gz"], 1)
    return x[..., np.newaxis], y.astype(np.int64)


def read_idx(file: Path, axes: int) -> Array:
    """Read a compressed idx file: two zeros, the type, the number of axes, their sizes
    (big-endian), the bytes.

    Returns:
        uint8 array with this number of axes.

    Raises:
        InvalidFile: the file is no idx file of bytes with this number of axes.
    """
    content = gzip.decompress(file.read_bytes())
    begin = 4 + 4 * axes
    sizes = struct.unpack(f">{axes}I", content[4:begin]) if len(content) >= begin else ()
    if content[:4] != bytes([0, 0, UNSIGNED_BYTES, axes]) or len(content) - begin != prod(sizes):
        raise InvalidFile(f"{file} is no idx file of bytes with {axes} axes", given=content[:begin])
    return np.frombuffer(content, np.uint8, offset=begin).reshape(sizes)


def _deal(x: Array, y: Array) -> tuple[list[int], list[int]]:
    """Return the rows of the calibration set and of the training set."""
    calibration, train = stratified(
        [item.tobytes() for item in x], y, [CALIBRATION_ITEMS / len(y)], seed=DATASET.id
    )
    return calibration, train


def _scale(x: Array) -> Array:
    return x.astype(np.float32) / np.float32(255)


DATASET = Dataset(
    id="fashion_mnist",
    title="Fashion-MNIST, pictures of clothes",
    task="classification",
    load=load,
    training=training,
    digest=sources_digest(SOURCES, VERSION),
    training_digest=sources_digest(SOURCES, VERSION),
    class_names=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    provenance=(
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, a Novel Image Dataset for Benchmarking"
        " Machine Learning Algorithms, 2017, arXiv:1708.07747; fetched from its authors'"
        " repository. The test set is the publisher's; 512 training images are the calibration set."
    ),
    licence="MIT",
    show="image",
    test_items=10_000,
    sources=SOURCES,
    tags=("image", "online"),
)
