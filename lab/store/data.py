"""Data sets as plain arrays in LAB_HOME, made once in a process of their own, so that the web
process imports no data library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import registry
from lab.datasets._download import Progress, downloads, fetch_all
from lab.errors import InvalidFile, LabError
from lab.home import CHECKOUT, folder
from lab.lazy import np
from lab.plugs import ARRAYS, Array, Dataset, Splits, arrays_digest, require
from lab.store.blobs import full_disk
from lab.types import ModelCard

FROM_DISK = "npz-"


def data_digest(card: ModelCard) -> str:
    """The digest that names the card's data."""
    if card.dataset.startswith(FROM_DISK):
        return card.dataset.removeprefix(FROM_DISK)
    return registry.dataset(card.dataset).digest


def data_folder(card: ModelCard) -> Path:
    """Folder of the card's arrays; those of a dataset are made first where they are missing.

    Raises:
        LabError: the data set could not be made, or is not what its digest says.
    """
    if not card.dataset.startswith(FROM_DISK):
        return dataset_folder(card.dataset)
    path = folder("data") / data_digest(card)
    if not path.exists():
        raise LabError(
            f"The data of {card.id!r} are no longer in the store",
            given=str(path),
            remedy="Add the model again",
        )
    return path


def dataset_folder(dataset_id: str) -> Path:
    """Folder of the arrays of a dataset; made first where they are missing.

    Raises:
        LabError: it could not be made, or is not what its digest says.
    """
    path = folder("data") / registry.dataset(dataset_id).digest
    if not path.exists():
        command = [sys.executable, "-m", "lab.store.data", dataset_id]
        made = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
        if made.returncode or not path.exists():
            raise LabError(
                f"The data set {dataset_id!r} could not be made",
                given=made.stderr.strip()[-500:] or str(path),
            )
    return path


def is_here(dataset: Dataset) -> bool:
    """True if the dataset can be loaded without the net: it is made, its arrays are kept, or its
    files lie ready.
    """
    if not dataset.sources or (folder("data") / dataset.digest).exists():
        return True
    files = [(downloads(dataset.id) / source.name, source.size_bytes) for source in dataset.sources]
    return all(file.exists() and file.stat().st_size == size for file, size in files)


def fetch_sources(dataset_id: str, progress: Progress) -> None:
    """Download the published files of a data set, where they are not here already; nothing for
    those that are made here.

    Raises:
        DownloadFailed: the publisher cannot be reached.
        InvalidFile: what came is not what was published.
    """
    fetch_all(dataset_id, registry.dataset(dataset_id).sources, progress)


def training_folder(dataset_id: str) -> Path:
    """Folder of the training set of a dataset, once something has trained: x.npy and y.npy,
    items as stored.
    """
    return folder("data") / f"training-{registry.dataset(dataset_id).training_digest}"


def materialize_training(dataset_id: str) -> Path:
    """Make the training set of a registered data set, check its digest and keep it.

    Raises:
        MissingPackage: its library is not installed.
        InvalidFile: it has none, or it is not the one that its digest names.
    """
    dataset = registry.dataset(dataset_id)
    require(f"The data set {dataset_id!r}", dataset.requires)
    if dataset.training is None:
        raise InvalidFile(
            f"The data set {dataset_id!r} has no training set", remedy="Choose one that has"
        )
    x, y = dataset.training()
    if (
        not dataset.sources
        and (found := arrays_digest({"x": x, "y": y})) != dataset.training_digest
    ):
        raise InvalidFile(
            f"The training set of {dataset_id!r} is not the declared one",
            allowed=dataset.training_digest,
            given=found,
            remedy="Install the versions in requirements.txt",
        )
    return save_arrays({"x": x, "y": y}, training_folder(dataset_id).name)


def save_arrays(arrays: dict[str, Array], digest: str) -> Path:
    """Keep arrays under a digest; nothing is left behind where the disk is full."""
    final = folder("data") / digest
    if final.exists():
        return final
    temporary = Path(tempfile.mkdtemp(dir=final.parent, prefix=".part-"))
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array)
        os.replace(temporary, final)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not final.exists():  # else somebody made the same data meanwhile
            raise full_disk(error) from error
    return final


def materialize(dataset_id: str) -> Path:
    """Load a registered data set, check its digest and keep its arrays.

    Raises:
        MissingPackage: its library is not installed.
        InvalidFile: the data are not those that its digest names.
    """
    dataset = registry.dataset(dataset_id)
    require(f"The data set {dataset_id!r}", dataset.requires)
    splits: Splits = dataset.load()
    if (
        not dataset.sources and (found := splits.digest()) != dataset.digest
    ):  # published files are checked one by one
        raise InvalidFile(
            f"The data set {dataset_id!r} is not the one that the models were trained on",
            allowed=dataset.digest,
            given=found,
            remedy="Install the versions in requirements.txt",
        )
    return save_arrays({name: getattr(splits, name) for name in ARRAYS}, dataset.digest)


def load_array(where: Path, name: str) -> Array:
    """Array of that name in ARRAYS, mapped, not read."""
    array: Array = np.load(where / f"{name}.npy", mmap_mode="r")
    return array


if __name__ == "__main__":
    try:
        (materialize_training if sys.argv[2:] else materialize)(sys.argv[1])
    except LabError as problem:
        sys.exit(str(problem))
