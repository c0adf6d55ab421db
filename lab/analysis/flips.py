"""Test items with different predictions of two trials, and their effect class by class: arrays in,
values out.

"before" is the trial that is compared with, "after" the one that is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lab import statistics
from lab.lazy import np
from lab.metrics.calibration_error import SUM_TOLERANCE, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["fixed", "broken", "changed"]
"""Only the second is right; only the first is; neither, but they answer differently."""
KINDS: tuple[Kind, ...] = ("broken", "fixed", "changed")
Value = Literal["probability", "softmax", "score", "anomaly", "none"]
"""Kind of number beside a prediction: a probability of the model, the softmax of its outputs,
another output, an anomaly score, or nothing if the outputs are not here.
"""


@dataclass(frozen=True)
class Flip:
    """A test item with different predictions of two trials.

    Attributes:
        item: its row in the test set.
        truth, before, after: class numbers, or 0 for normal and 1 for an alarm; None where it is
            not known.
        before_value, after_value: number that each trial gives its own prediction, see `Value`;
            None without outputs.
        gap: distance of the two. For classes the mean margin of each trial's own prediction over
            the other's: 0 if both are undecided between the two, 1 if both are certain. For alarms
            the distance of the scores over the threshold.
    """

    item: int
    kind: Kind
    truth: int | None
    before: int | None
    after: int | None
    before_value: float | None = None
    after_value: float | None = None
    gap: float = 0.0


@dataclass(frozen=True)
class Flips:
    """Comparison of the predictions of two trials on the same test items.

    Attributes:
        n: items.
        both_right, both_wrong: items with the same right or wrong prediction.
        flips: the widest gap first.
        value: kind of the numbers beside predictions.
        threshold: of anomaly scores, above which there is an alarm.
        answers_known: False where only right and wrong are known of the items: then none is
            "changed".
    """

    n: int
    both_right: int
    both_wrong: int
    flips: tuple[Flip, ...]
    value: Value
    threshold: float | None = None
    answers_known: bool = True

    def of(self, kind: Kind) -> tuple[Flip, ...]:
        """Return the flips of one kind, in their order."""
        return tuple(flip for flip in self.flips if flip.kind == kind)


def confidences(outputs: NDArray[Any]) -> tuple[NDArray[np.float64], Value]:
    """Return a classifier's number for each class, and the kind of these numbers.

    Rows that sum to one are probabilities; outputs within 0 … 1 that do not are scores of their
    own, such as those of one sigmoid a class; anything else are logits, whose softmax is taken.

    Args:
        outputs: shape (items, classes).

    Returns:
        shape (items, classes).
    """
    values = np.asarray(outputs, dtype=np.float64)
    within = values.size and values.min() >= 0
    if within and np.abs(values.sum(axis=1) - 1).max() <= SUM_TOLERANCE:
        return probabilities(values), "probability"
    if within and values.max() <= 1:
        return values, "score"
    return (probabilities(values), "softmax") if values.size else (values, "softmax")


def class_flips(labels: NDArray[Any], before: NDArray[Any], after: NDArray[Any]) -> Flips:
    """Return the items with different predictions of two classifiers.

    Args:
        labels: class numbers, shape (items,).
        before, after: outputs, shape (items, classes).
    """
    return share_flips(labels, confidences(before), confidences(after))


def share_flips(
    labels: NDArray[Any],
    before: tuple[NDArray[np.float64], Value],
    after: tuple[NDArray[np.float64], Value],
) -> Flips:
    """Return the same from the numbers and kinds that `confidences` returns."""
    (p, p_is), (q, q_is) = before, after
    value: Value = p_is if p_is == q_is else "score" if "score" in (p_is, q_is) else "softmax"
    a, b = p.argmax(axis=1), q.argmax(axis=1)
    gaps = _margins(p, a, b), _margins(q, b, a)
    flips = [
        Flip(
            int(i),
            _kind(labels[i], a[i], b[i]),
            int(labels[i]),
            int(a[i]),
            int(b[i]),
            float(p[i, a[i]]),
            float(q[i, b[i]]),
            float(gaps[0][i] + gaps[1][i]) / 2,
        )
        for i in np.flatnonzero(a != b)
    ]
    return _sorted(labels, a, b, flips, value)


def _margins(
    shares: NDArray[np.float64], own: NDArray[Any], other: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the margin of each row's own prediction over the other's."""
    rows = np.arange(len(shares))
    margins: NDArray[np.float64] = shares[rows, own] - shares[rows, other]
    return margins


def _kind(truth: Any, before: Any, after: Any) -> Kind:
    return "fixed" if after == truth else "broken" if before == truth else "changed"


def _sorted(
    labels: Any, before: Any, after: Any, flips: list[Flip], value: Value, **more: Any
) -> Flips:
    same = before == after
    right = int((same & (before == labels)).sum())
    ordered = tuple(sorted(flips, key=lambda flip: (-flip.gap, flip.item)))
    return Flips(len(labels), right, int(same.sum()) - right, ordered, value, **more)


def alarm_flips(
    labels: NDArray[Any], before: NDArray[Any], after: NDArray[Any], threshold: float
) -> Flips:
    """Return the items on which only one of two detectors raises an alarm.

    Args:
        labels: 0 normal, 1 anomalous, shape (items,).
        before, after: anomaly scores, shape (items,).
        threshold: an alarm is raised above it; the same for both.
    """
    a, b = (np.asarray(scores > threshold).astype(int) for scores in (before, after))
    flips = [
        Flip(
            int(i),
            _kind(labels[i], a[i], b[i]),
            int(labels[i]),
            int(a[i]),
            int(b[i]),
            float(before[i]),
            float(after[i]),
            abs(float(after[i] - before[i])) / max(abs(threshold), 1e-12),
        )
        for i in np.flatnonzero(a != b)
    ]
    return _sorted(labels, a, b, flips, "anomaly", threshold=float(threshold))


def known_flips(
    before: NDArray[np.bool_], after: NDArray[np.bool_], labels: NDArray[Any] | None = None
) -> Flips:
    """Return the items that only one of two trials predicts correctly, if the predictions
    themselves are unknown.

    Args:
        before, after: which items were answered rightly, shape (items,).
        labels: class numbers, shape (items,), where the test set is here.
    """
    flips = tuple(
        Flip(
            int(i),
            "fixed" if after[i] else "broken",
            None if labels is None else int(labels[i]),
            *_right_ones(labels, before, after, i),
        )
        for i in np.flatnonzero(before != after)
    )
    both = int((before & after).sum())
    return Flips(
        len(before), both, int((~before & ~after).sum()), flips, "none", answers_known=False
    )


def _right_ones(labels: Any, before: Any, after: Any, i: Any) -> tuple[int | None, int | None]:
    """Return both predictions: the truth for the trial that is right, None for the other."""
    truth = None if labels is None else int(labels[i])
    return (truth if before[i] else None), (truth if after[i] else None)


# --- class by class -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassChange:
    """Recognition of one class before and after.

    Attributes:
        n: its test items; before, after: how many of them are right.
        won, lost: items that only the second, and only the first, has right.
        low, high: 95 % interval of (won - lost) / n.
        p: exact McNemar; adjusted: the same among all classes (false discovery rate, Benjamini and
            Hochberg).
    """

    number: int
    n: int
    before: int
    after: int
    won: int
    lost: int
    low: float
    high: float
    p: float
    adjusted: float

    @property
    def change(self) -> float:
        """Change of the share of recognised items."""
        return (self.won - self.lost) / self.n

    @property
    def differs(self) -> bool:
        """True if chance is an unlikely cause (`lab.statistics.ERROR`), among all classes."""
        return self.adjusted < statistics.ERROR


def class_changes(
    labels: NDArray[Any], before: NDArray[np.bool_], after: NDArray[np.bool_]
) -> tuple[ClassChange, ...]:
    """Return the changes of every class that occurs, by number.

    Args:
        labels: class numbers, shape (items,).
        before, after: which items were answered rightly, shape (items,).
    """
    counted = []
    for number in np.unique(labels):
        mine = labels == number
        a, b = before[mine], after[mine]
        counted.append(
            (
                int(number),
                len(a),
                int(a.sum()),
                int(b.sum()),
                int((b & ~a).sum()),
                int((a & ~b).sum()),
            )
        )
    p_values = [statistics.mcnemar(won, lost) for *_, won, lost in counted]
    adjusted = statistics.adjusted(p_values)
    return tuple(
        ClassChange(*c, *statistics.paired_difference(c[4], c[5], c[1]), p, q)
        for c, p, q in zip(counted, p_values, adjusted, strict=True)
    )


def confusion(labels: NDArray[Any], answers: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Count the items of each class (rows) for each prediction (columns), shape (classes,
    classes).
    """
    counts = np.bincount(
        np.asarray(labels) * classes + np.asarray(answers), minlength=classes * classes
    )
    return np.asarray(counts.reshape(classes, classes), dtype=np.int64)


def confusion_change(
    labels: NDArray[Any], before: NDArray[Any], after: NDArray[Any], classes: int
) -> NDArray[np.int64]:
    """Return the change of `confusion` from one trial's predictions to another's: rows sum to 0."""
    return np.asarray(
        confusion(labels, after, classes) - confusion(labels, before, classes), dtype=np.int64
    )
