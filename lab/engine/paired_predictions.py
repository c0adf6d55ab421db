"""Two trials on the test items that both answered, and the items themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab import registry
from lab.analysis.differences import unpack
from lab.analysis.flips import Flips, alarm_flips, known_flips, share_flips
from lab.analysis.front import nearest_baseline
from lab.engine.predictions import Told, answers_are_alarms, answers_are_classes, array_of, told
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
class Answered:
    """Two trials and the test set that both answered.

    Attributes:
        flips: see `lab.analysis.flips`.
        labels: the truth of each item, shape (items,); None where the data are not here.
        right_before, right_after: which items each got right, shape (items,).
        answers_before, answers_after: class numbers, or 0 and 1 for alarms; None where unknown.
    """

    flips: Flips
    labels: Array | None
    right_before: Array
    right_after: Array
    answers_before: Array | None = None
    answers_after: Array | None = None


def card_of(trial: Trial) -> ModelCard:
    """The card that the trial's study was made with."""
    return records.card_of(trial.study)


def same_data(card: ModelCard, other: ModelCard) -> bool:
    """Whether two models are judged on the same test set, and their answers mean the same.

    Data that this lab does not know are the same where they have the same name.
    """
    try:
        digests = data_digest(card), data_digest(other)
    except UnknownId:
        digests = card.dataset, other.dataset
    return card.task == other.task and digests[0] == digests[1]


def answered(trial: Trial, reference: Trial) -> Answered:
    """What two trials answered on the test items that both were asked.

    Raises:
        UsageError: they were asked other items, or their task has no answers that flip.
        LabError: nothing is known of their answers.
    """
    card = card_of(trial)
    if trial.study != reference.study and not same_data(card, card_of(reference)):
        raise UsageError(
            "These trials were judged on other data",
            given=(trial.id, reference.id),
            remedy="Compare trials of models that share a data set",
        )
    if not answers_are_classes(card) and not answers_are_alarms(card):
        raise UsageError(
            "Answers of this task are neither classes nor alarms, so that none of them flips",
            given=card.task,
        )
    before, after = told(reference, card_of(reference)), told(trial, card)
    if before is None or after is None:
        return _by_bits(card, trial, reference)
    if len(before) != len(after):
        raise UsageError(
            "These trials answered another number of test items",
            given=(len(after), len(before)),
            remedy="Sweep both with the same test_samples",
        )
    labels = array_of(card, "y_test", len(after))
    if labels is None:
        return _by_bits(card, trial, reference)
    return (_alarms if answers_are_alarms(card) else _classes)(
        np.asarray(labels), before, after, reference
    )


def _classes(labels: Array, before: Told, after: Told, reference: Trial) -> Answered:
    assert before.shares is not None  # as answers_are_classes says
    assert after.shares is not None
    a, b = before.shares.argmax(axis=1), after.shares.argmax(axis=1)
    flips = share_flips(labels, (before.shares, before.value), (after.shares, after.value))
    return Answered(flips, labels, a == labels, b == labels, a, b)


def _alarms(labels: Array, before: Told, after: Told, reference: Trial) -> Answered:
    """At the threshold that ships with the float model."""
    assert before.scores is not None  # as answers_are_alarms says
    assert after.scores is not None
    base = nearest_baseline(reference, records.trials(reference.study))
    usual = told(base, card_of(base)) if base else None
    expected = (
        usual.scores
        if usual and usual.scores is not None and len(usual) == len(labels)
        else before.scores
    )
    threshold = alarm_threshold(expected, labels)
    a, b = (before.scores > threshold).astype(int), (after.scores > threshold).astype(int)
    flips = alarm_flips(labels, before.scores, after.scores, threshold)
    return Answered(flips, labels, a == labels, b == labels, a, b)


def _by_bits(card: ModelCard, trial: Trial, reference: Trial) -> Answered:
    """Where only that is known: which items each got right."""
    after, before = _right(trial), _right(reference)
    if after is None or before is None or len(after) != len(before):
        raise LabError(NOT_HERE, remedy=ELSEWHERE)
    labels = array_of(card, "y_test", len(after))
    known = None if labels is None else np.asarray(labels)
    return Answered(known_flips(before, after, known), known, before, after)


def _right(trial: Trial) -> Array | None:
    """Which items a trial got right; None where that is not kept, or not as it should be."""
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
