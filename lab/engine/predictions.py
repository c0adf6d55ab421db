"""Predictions of a trial on its test set: from the outputs as they were evaluated here, or from the
compact form that travels with a study.

The compact form is an .npz: for classes `answers` (uint16, the predicted class) and `shares`
(uint8, 255 is 1, one a class) with `value`, the meaning of the shares; for anomaly
detection `scores`. Shares are rounded to a fifth of a percentage point; no predicted class changes.
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
class Predictions:
    """Predictions of a trial, one an item.

    Attributes:
        class_scores: score of each class, shape (items, classes), and `value`, its meaning; None
            for anomaly detection.
        anomaly_scores: shape (items,); None for classification.
    """

    class_scores: Array | None = None
    value: Value = "none"
    anomaly_scores: Array | None = None

    def __len__(self) -> int:
        known = self.class_scores if self.class_scores is not None else self.anomaly_scores
        return 0 if known is None else len(known)


def predictions_of(trial: Trial, card: ModelCard) -> Predictions | None:
    """Predictions of a trial; None where they are not in this lab, or cannot be read."""
    outputs = _array(trial.details.outputs, "outputs")
    return (
        _from_outputs(outputs, card)
        if outputs is not None
        else _from_portable(trial.details.predictions, card)
    )


def predicts_classes(card: ModelCard) -> bool:
    """True if a model predicts one of several classes for each item."""
    return _task(card, "primary") == "top1_accuracy"


def predicts_alarms(card: ModelCard) -> bool:
    """True if a model predicts anomaly scores."""
    return _task(card, "agreement") == "alarm_agreement"


def _task(card: ModelCard, what: str) -> str:
    try:
        return str(getattr(registry.task(card.task), what))
    except UnknownId:
        return ""


def _from_outputs(outputs: Array, card: ModelCard) -> Predictions | None:
    if predicts_classes(card):
        return Predictions(*confidences(outputs)) if outputs.ndim == 2 else None
    inputs = array_of(card, "x_test", len(outputs)) if predicts_alarms(card) else None
    if inputs is None or not inputs.size:
        return None
    return Predictions(
        anomaly_scores=registry.task(card.task).predictions(
            outputs, as_input(np.asarray(inputs), card.input)
        )
    )


def _from_portable(kept: Artifact | None, card: ModelCard) -> Predictions | None:
    """Predictions in the compact form; None where the file is damaged: it may come from anybody."""
    if predicts_alarms(card):
        scores = _array(kept, "scores")
        fit = (
            scores is not None
            and scores.ndim == 1
            and scores.dtype.kind == "f"
            and np.isfinite(scores).all()
        )
        return Predictions(anomaly_scores=scores) if fit else None
    classes, shares, value = (_array(kept, name) for name in ("answers", "shares", "value"))
    if classes is None or shares is None or value is None or not _fit(classes, shares, str(value)):
        return None
    scores = shares / STEPS
    # of equal shares that of the predicted class is the largest
    scores[np.arange(len(scores)), classes] += 0.5 / STEPS
    meaning: Any = str(value)
    return Predictions(scores, meaning)


def _fit(classes: Array, shares: Array, value: str) -> bool:
    return bool(
        shares.ndim == 2
        and shares.dtype == np.uint8
        and classes.dtype == np.uint16
        and classes.shape == shares.shape[:1]
        and len(classes)
        and classes.max() < shares.shape[1]
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
            raise ValueError("too large for predictions")
    with np.load(path, allow_pickle=False) as file:
        array: Array = file[name]
    return array


def portable_predictions(trial: Trial, card: ModelCard) -> Artifact | None:
    """Compact form of a trial's predictions, kept as a file of the store; None where there are
    none.
    """
    if not trial.details.outputs:
        return trial.details.predictions
    predictions = predictions_of(trial, card)
    arrays = _compact(predictions) if predictions else {}
    return _kept(arrays) if arrays else None


def _compact(predictions: Predictions) -> dict[str, Array]:
    if predictions.anomaly_scores is not None:
        return {"scores": np.asarray(predictions.anomaly_scores, np.float64)}
    scores = predictions.class_scores
    if scores is None or scores.shape[1] > np.iinfo(np.uint16).max:
        return {}
    shares = np.round(np.clip(scores, 0, 1) * STEPS).astype(np.uint8)
    return {
        "answers": scores.argmax(axis=1).astype(np.uint16),
        "shares": shares,
        "value": np.array(predictions.value),
    }


def _kept(arrays: dict[str, Array]) -> Artifact:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answers.npz"
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return keep(file, "npz")


def array_of(card: ModelCard, name: str, n: int) -> Array | None:
    """The first n of "x_test" or "y_test"; None where the dataset would have to be downloaded, or
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
