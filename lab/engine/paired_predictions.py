"""Predictions of two trials for the same test items, and the items themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab import registry
from lab.analysis.differences import unpack
from lab.analysis.flips import Flips, alarm_flips, known_flips, share_flips
from lab.analysis.front import nearest_baseline
from lab.engine.predictions import (
    Predictions,
    array_of,
    predictions_of,
    predicts_alarms,
    predicts_classes,
)
from lab.errors import LabError, UnknownId, UsageError
from lab.lazy import np
from lab.metrics.alarm_agreement import alarm_threshold
from lab.plugs import Array
from lab.store import records
from lab.store.data import FROM_DISK, data_digest
from lab.store.examples import Examples
from lab.types import ModelCard, Trial

NOT_HERE = (
    "The answers of these trials are not in this lab, and nothing was kept of which items they got"
    " right"
)
ELSEWHERE = "A study that was imported may have none: open it where it ran, or run the trials here"


@dataclass(frozen=True)
class PairedPredictions:
    """Predictions of two trials for the same test set.

    Attributes:
        flips: see `lab.analysis.flips`.
        labels: true label of each item, shape (items,); None where the data are not here.
        correct_before, correct_after: whether each item was predicted correctly, shape (items,).
        predictions_before, predictions_after: class numbers, or 0 and 1 for alarms; None where
            unknown.
    """

    flips: Flips
    labels: Array | None
    correct_before: Array
    correct_after: Array
    predictions_before: Array | None = None
    predictions_after: Array | None = None


def card_of(trial: Trial) -> ModelCard:
    """The card that the trial's study was made with."""
    return records.card_of(trial.study)


def same_data(card: ModelCard, other: ModelCard) -> bool:
    """True if two models have the same task and the same test set.

    Datasets that this lab does not know are the same where they have the same name.
    """
    try:
        digests = data_digest(card), data_digest(other)
    except UnknownId:
        digests = card.dataset, other.dataset
    return card.task == other.task and digests[0] == digests[1]


def answered(trial: Trial, reference: Trial) -> PairedPredictions:
    """Pair the predictions of two trials for the same test items.

    Raises:
        UsageError: they have other items, or their task has no predictions that flip.
        LabError: nothing is known of their predictions.
    """
    card = card_of(trial)
    if trial.study != reference.study and not same_data(card, card_of(reference)):
        raise UsageError(
            "These trials were judged on other data",
            given=(trial.id, reference.id),
            remedy="Compare trials of models that share a data set",
        )
    if not predicts_classes(card) and not predicts_alarms(card):
        raise UsageError(
            "Answers of this task are neither classes nor alarms, so that none of them flips",
            given=card.task,
        )
    before, after = predictions_of(reference, card_of(reference)), predictions_of(trial, card)
    if before is None or after is None:
        return _by_correctness(card, trial, reference)
    if len(before) != len(after):
        raise UsageError(
            "These trials answered another number of test items",
            given=(len(after), len(before)),
            remedy="Sweep both with the same test_samples",
        )
    labels = array_of(card, "y_test", len(after))
    if labels is None:
        return _by_correctness(card, trial, reference)
    return (_alarms if predicts_alarms(card) else _classes)(
        np.asarray(labels), before, after, reference
    )


def _classes(
    labels: Array, before: Predictions, after: Predictions, reference: Trial
) -> PairedPredictions:
    assert before.class_scores is not None  # as predicts_classes says
    assert after.class_scores is not None
    a, b = before.class_scores.argmax(axis=1), after.class_scores.argmax(axis=1)
    flips = share_flips(
        labels, (before.class_scores, before.value), (after.class_scores, after.value)
    )
    return PairedPredictions(flips, labels, a == labels, b == labels, a, b)


def _alarms(
    labels: Array, before: Predictions, after: Predictions, reference: Trial
) -> PairedPredictions:
    """Pair alarms at the threshold that ships with the float model."""
    assert before.anomaly_scores is not None  # as predicts_alarms says
    assert after.anomaly_scores is not None
    base = nearest_baseline(reference, records.trials(reference.study))
    predictions = predictions_of(base, card_of(base)) if base else None
    float_scores = predictions.anomaly_scores if predictions else None
    if float_scores is None or len(float_scores) != len(labels):
        float_scores = before.anomaly_scores
    threshold = alarm_threshold(float_scores, labels)
    a = (before.anomaly_scores > threshold).astype(int)
    b = (after.anomaly_scores > threshold).astype(int)
    flips = alarm_flips(labels, before.anomaly_scores, after.anomaly_scores, threshold)
    return PairedPredictions(flips, labels, a == labels, b == labels, a, b)


def _by_correctness(card: ModelCard, trial: Trial, reference: Trial) -> PairedPredictions:
    """Pair two trials of which only the correctly predicted items are known."""
    after, before = _correct(trial), _correct(reference)
    if after is None or before is None or len(after) != len(before):
        raise LabError(NOT_HERE, remedy=ELSEWHERE)
    labels = array_of(card, "y_test", len(after))
    known = None if labels is None else np.asarray(labels)
    return PairedPredictions(known_flips(before, after, known), known, before, after)


def _correct(trial: Trial) -> Array | None:
    """Mask of the items that were predicted correctly; None where it is missing or damaged."""
    kept = trial.details.correct or {}
    try:
        bits = unpack(str(kept["bits"]), int(kept["n"]))
    except (ValueError, KeyError, TypeError):
        return None
    return bits if len(bits) == int(kept["n"]) else None


def items_of(card: ModelCard, rows: Sequence[int]) -> Examples | None:
    """Test items by row, as stored, with labels and texts; None where the data are not here."""
    x, y = (_rows(card, name, rows) for name in ("x_test", "y_test"))
    if x is None or y is None:
        return None
    dataset = None if card.dataset.startswith(FROM_DISK) else registry.dataset(card.dataset)
    return Examples(
        x, y, tuple(dataset.decode(item) for item in x) if dataset and dataset.decode else ()
    )


def _rows(card: ModelCard, name: str, rows: Sequence[int]) -> Any:
    array = array_of(card, name, 1 + max(rows, default=0))
    return None if array is None else np.asarray(array[list(rows)])
