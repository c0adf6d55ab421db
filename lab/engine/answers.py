"""What trials answered on their test sets, read from the store, and the test items themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab import registry
from lab.analysis.differences import unpack
from lab.analysis.flips import Flips, alarm_flips, class_flips, known_flips
from lab.analysis.front import baseline_of
from lab.errors import LabError, UnknownId, UsageError
from lab.formats.feeding import as_input
from lab.lazy import np
from lab.metrics.alarm_agreement import alarm_threshold
from lab.plugs import Array
from lab.store import records
from lab.store.blobs import locate_card
from lab.store.data import FROM_DISK, data_digest, data_folder, is_here, load_array
from lab.store.examples import Examples
from lab.types import ModelCard, Trial

NOT_HERE = "The answers of these trials are not in this lab, and nothing was kept of which items they got right"
ELSEWHERE = "A study that was imported has none: open it where it ran, or run the trials here"


@dataclass(frozen=True)
class Answered:
    """Two trials and the test set that both answered.

    Attributes:
        labels: the truth of each item, shape (items,); None where the data are not here.
        before, after: outputs, or None where they are not here; right_before, right_after: which items each got right, shape
            (items,), or None where that is not known either.
        flips: see `lab.analysis.flips`.
        answers_before, answers_after: class numbers, or 0 and 1 for alarms; None where unknown.
    """

    flips: Flips
    labels: Array | None
    right_before: Array | None
    right_after: Array | None
    answers_before: Array | None = None
    answers_after: Array | None = None


def card_of(trial: Trial) -> ModelCard:
    """The card that the trial's study was made with."""
    return ModelCard.from_json(locate_card(records.study_row(trial.study).card))


def outputs_of(trial: Trial) -> Array | None:
    """What a trial answered on its test set, shape (items, *output); None where that is not in this lab."""
    kept = trial.details.get("outputs")
    if not kept or not Path(kept["path"]).is_file():
        return None
    return _read(kept["path"])


@lru_cache(maxsize=16)
def _read(path: str) -> Array:
    """A file of the store never changes: its name is its digest."""
    with np.load(path, allow_pickle=False) as file:
        outputs: Array = file["outputs"]
    return outputs


def array_of(card: ModelCard, name: str, n: int) -> Array | None:
    """The first n of "x_test" or "y_test"; None where the data set would have to be downloaded, or cannot be made.

    What can be made without the net is made, in a process of its own, and kept.
    """
    try:
        if not card.dataset.startswith(FROM_DISK) and not is_here(registry.dataset(card.dataset)):
            return None
        array = load_array(data_folder(card), name)
    except (LabError, OSError):
        return None
    return array[:n] if len(array) >= n else None


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
        raise UsageError("These trials were judged on other data", given=(trial.id, reference.id),
                         remedy="Compare trials of models that share a data set")  # fmt: skip
    before, after = outputs_of(reference), outputs_of(trial)
    if before is None or after is None:
        return _by_bits(card, trial, reference)
    if len(before) != len(after):
        raise UsageError("These trials answered another number of test items", given=(len(after), len(before)),
                         remedy="Sweep both with the same test_samples")  # fmt: skip
    labels = array_of(card, "y_test", len(after))
    if labels is None:
        return _by_bits(card, trial, reference)
    found = _classes if registry.task(card.task).primary == "top1_accuracy" else _alarms
    return found(card, np.asarray(labels), before, after, reference)


def _classes(card: ModelCard, labels: Array, before: Array, after: Array, reference: Trial) -> Answered:
    a, b = before.argmax(axis=1), after.argmax(axis=1)
    return Answered(class_flips(labels, before, after), labels, a == labels, b == labels, a, b)


def _alarms(card: ModelCard, labels: Array, before: Array, after: Array, reference: Trial) -> Answered:
    """At the threshold that ships with the float model."""
    task = registry.task(card.task)
    inputs = array_of(card, "x_test", len(labels))
    if task.agreement != "alarm_agreement" or inputs is None:
        raise UsageError(
            "Answers of this task are neither classes nor alarms, so that none of them flips", given=task.id
        )
    inputs = as_input(np.asarray(inputs), card.input)
    base = baseline_of(reference, [t for t in records.trials(reference.study) if t.is_baseline])
    expected = outputs_of(base) if base else None
    usual = before if expected is None or len(expected) != len(labels) else expected
    threshold = alarm_threshold(task.answers(usual, inputs), labels)
    p, q = task.answers(before, inputs), task.answers(after, inputs)
    a, b = (p > threshold).astype(int), (q > threshold).astype(int)
    return Answered(alarm_flips(labels, p, q, threshold), labels, a == labels, b == labels, a, b)


def _by_bits(card: ModelCard, trial: Trial, reference: Trial) -> Answered:
    """Which items each got right travels with a study, the answers themselves do not."""
    mine, theirs = (t.details.get("right") or {} for t in (trial, reference))
    if not mine or not theirs or mine["n"] != theirs["n"]:
        raise LabError(NOT_HERE, remedy=ELSEWHERE)
    n = int(mine["n"])
    after, before = (unpack(r["bits"], n) for r in (mine, theirs))
    labels = array_of(card, "y_test", n)
    known = None if labels is None else np.asarray(labels)
    return Answered(known_flips(before, after, known), known, before, after)


def items_of(card: ModelCard, rows: Sequence[int]) -> Examples | None:
    """Test items by row, as stored, with labels and texts; None where the data are not here."""
    x, y = (_rows(card, name, rows) for name in ("x_test", "y_test"))
    if x is None or y is None:
        return None
    dataset = None if card.dataset.startswith(FROM_DISK) else registry.dataset(card.dataset)
    return Examples(x, y, tuple(dataset.decode(item) for item in x) if dataset and dataset.decode else ())


def _rows(card: ModelCard, name: str, rows: Sequence[int]) -> Any:
    array = array_of(card, name, 1 + max(rows, default=0))
    return None if array is None else np.asarray(array[list(rows)])
