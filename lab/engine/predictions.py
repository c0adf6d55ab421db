"""What a trial answered on its test set: the outputs as they were evaluated here, or the compact
form that a study takes along.

The compact form is an .npz: for classes `answers` (uint16) and `shares` (uint8, 255 is 1) with
`value`, what these are; for anomaly detection `scores`. Shares are rounded to a fifth of a point;
no answer changes.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from lab import registry
from lab.analysis.flips import Value, confidences
from lab.errors import LabError, UnknownId
from lab.formats.feeding import as_input
from lab.lazy import np
from lab.plugs import Array
from lab.store.blobs import keep
from lab.store.data import FROM_DISK, data_folder, is_here, load_array
from lab.types import Artifact, ModelCard, Trial

STEPS, MOST_BYTES = 255, 2**30
_DAMAGE = (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile, EOFError)


@dataclass(frozen=True)
class Told:
    """A trial's answers.

    Attributes:
        shares: what each class is given, shape (items, classes), and `value`, what that is; None
            for anomaly detection.
        scores: of anomaly detection, shape (items,); None for classes.
    """

    shares: Array | None = None
    value: Value = "none"
    scores: Array | None = None

    def __len__(self) -> int:
        known = self.shares if self.shares is not None else self.scores
        return 0 if known is None else len(known)


def told(trial: Trial, card: ModelCard) -> Told | None:
    """What a trial answered; None where that is not in this lab, or cannot be read."""
    outputs = _array(trial.details.outputs, "outputs")
    return (
        _from_outputs(outputs, card)
        if outputs is not None
        else _from_portable(trial.details.predictions, card)
    )


def answers_are_classes(card: ModelCard) -> bool:
    """Whether answers are one of several classes, item by item."""
    return _task(card, "primary") == "top1_accuracy"


def answers_are_alarms(card: ModelCard) -> bool:
    """Whether answers are anomaly scores."""
    return _task(card, "agreement") == "alarm_agreement"


def _task(card: ModelCard, what: str) -> str:
    try:
        return str(getattr(registry.task(card.task), what))
    except UnknownId:
        return ""


def _from_outputs(outputs: Array, card: ModelCard) -> Told | None:
    if answers_are_classes(card):
        return Told(*confidences(outputs)) if outputs.ndim == 2 else None
    inputs = array_of(card, "x_test", len(outputs)) if answers_are_alarms(card) else None
    if inputs is None or not inputs.size:
        return None
    return Told(
        scores=registry.task(card.task).predictions(
            outputs, as_input(np.asarray(inputs), card.input)
        )
    )


def _from_portable(kept: Artifact | None, card: ModelCard) -> Told | None:
    """As strange as the file may be: it came from anybody."""
    if answers_are_alarms(card):
        scores = _array(kept, "scores")
        fit = (
            scores is not None
            and scores.ndim == 1
            and scores.dtype.kind == "f"
            and np.isfinite(scores).all()
        )
        return Told(scores=scores) if fit else None
    answers, shares, value = (_array(kept, name) for name in ("answers", "shares", "value"))
    if answers is None or shares is None or value is None or not _fit(answers, shares, str(value)):
        return None
    p = shares / STEPS
    p[np.arange(len(p)), answers] += 0.5 / STEPS  # of equal shares the answer's is the largest
    said: Any = str(value)
    return Told(p, said)


def _fit(answers: Array, shares: Array, value: str) -> bool:
    return bool(
        shares.ndim == 2
        and shares.dtype == np.uint8
        and answers.dtype == np.uint16
        and answers.shape == shares.shape[:1]
        and len(answers)
        and answers.max() < shares.shape[1]
        and value in get_args(Value)
    )


def _array(kept: Artifact | None, name: str) -> Array | None:
    try:
        return _read(kept.path, name) if kept else None
    except _DAMAGE:
        return None


@lru_cache(maxsize=64)
def _read(path: str, name: str) -> Array:
    """A file of the store never changes: its name is its digest."""
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > MOST_BYTES:
            raise ValueError("too large for answers")
    with np.load(path, allow_pickle=False) as file:
        array: Array = file[name]
    return array


def portable(trial: Trial, card: ModelCard) -> Artifact | None:
    """The compact form of a trial's answers, kept as a file of the store, as it goes into a trial's
    details; None where there is
    nothing to take along.
    """
    if not trial.details.outputs:
        return trial.details.predictions
    found = told(trial, card)
    arrays = _compact(found) if found else {}
    return _kept(arrays) if arrays else None


def _compact(found: Told) -> dict[str, Array]:
    if found.scores is not None:
        return {"scores": np.asarray(found.scores, np.float64)}
    if found.shares is None or found.shares.shape[1] > np.iinfo(np.uint16).max:
        return {}
    shares = np.round(np.clip(found.shares, 0, 1) * STEPS).astype(np.uint8)
    return {
        "answers": found.shares.argmax(axis=1).astype(np.uint16),
        "shares": shares,
        "value": np.array(found.value),
    }


def _kept(arrays: dict[str, Array]) -> Artifact:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answers.npz"
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return keep(file, "npz")


def array_of(card: ModelCard, name: str, n: int) -> Array | None:
    """The first n of "x_test" or "y_test"; None where the data set would have to be downloaded, or
    cannot be made.

    What can be made without the net is made, in a process of its own, and kept.
    """
    try:
        if not card.dataset.startswith(FROM_DISK) and not is_here(registry.dataset(card.dataset)):
            return None
        array = load_array(data_folder(card), name)
    except (LabError, OSError):
        return None
    return array[:n] if len(array) >= n else None
