"""A few test items of a data set, to be looked at: kept once chosen, so that no page loads a data
set for them.

`python -m lab.store.examples DATASET N` chooses them in a process of its own, where the data set's
library may be loaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from lab import registry
from lab.errors import LabError
from lab.home import CHECKOUT, folder
from lab.lazy import np
from lab.plugs import Array, Dataset, require
from lab.store.data import FROM_DISK, data_digest, data_folder, load_array, materialize
from lab.types import ModelCard

POOL = 2
"""A preview is asked for so many times the items that are shown, to find one of each class among
them.
"""


class Examples(NamedTuple):
    """Test items as stored, shape (n, *item); their labels, shape (n,); their texts, where the data
    are text.
    """

    items: Array
    labels: Array
    texts: tuple[str, ...] = ()


def examples_of(card: ModelCard, n: int) -> Examples:
    """Test items of a card's data, one of each class as far as they go.

    A preview is drawn up in this process where it needs no library; whatever takes longer is done
    in another, once.

    Raises:
        LabError: the data cannot be made.
    """
    if card.dataset.startswith(FROM_DISK):
        return _stored(data_folder(card), n)
    dataset = registry.dataset(card.dataset)
    if dataset.preview and not dataset.requires and not dataset.decode:
        return _chosen(*dataset.preview(POOL * n), n)
    kept = folder("examples") / f"{data_digest(card)}-{n}.npz"
    if not kept.exists():
        _make_elsewhere(card, n, kept)
    with np.load(kept, allow_pickle=False) as file:
        return Examples(file["items"], file["labels"], tuple(map(str, file["texts"])))


def _stored(where: Path, n: int) -> Examples:
    return _chosen(load_array(where, "x_test"), np.asarray(load_array(where, "y_test")), n)


def _chosen(x: Array, labels: Array, n: int) -> Examples:
    """The first item of each class, then the first of the rest; the first items where labels are no
    classes.
    """
    first = np.unique(labels, return_index=True)[1] if labels.ndim == 1 else np.arange(0)
    rest = np.setdiff1d(np.arange(min(len(x), len(first) + n)), first)
    rows = np.concatenate([first, rest])[:n].astype(int)
    return Examples(np.asarray(x[rows]), labels[rows])


def _make_elsewhere(card: ModelCard, n: int, kept: Path) -> None:
    command = [sys.executable, "-m", "lab.store.examples", card.dataset, str(n)]
    made = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    if made.returncode or not kept.exists():
        raise LabError(
            f"The data of {card.id!r} could not be made",
            given=made.stderr.strip()[-500:] or str(kept),
        )


def choose(dataset_id: str, n: int) -> None:
    """Choose the items of a registered data set, put texts into words, and keep both."""
    dataset = registry.dataset(dataset_id)
    require(f"The data set {dataset_id!r}", dataset.requires)
    chosen = (
        _chosen(*dataset.preview(POOL * n), n) if dataset.preview else _stored(_whole(dataset), n)
    )
    texts = [dataset.decode(item) for item in chosen.items] if dataset.decode else []
    final = folder("examples") / f"{dataset.digest}-{n}.npz"
    handle, temporary = tempfile.mkstemp(dir=final.parent, prefix=".part-")
    with os.fdopen(handle, "wb") as out:
        np.savez(out, items=chosen.items, labels=chosen.labels, texts=np.array(texts, dtype=str))
    os.replace(temporary, final)


def _whole(dataset: Dataset) -> Path:
    where = folder("data") / dataset.digest
    return where if where.exists() else materialize(dataset.id)


if __name__ == "__main__":
    try:
        choose(sys.argv[1], int(sys.argv[2]))
    except LabError as problem:
        sys.exit(str(problem))
