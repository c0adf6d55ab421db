"""Accuracy of each class; trials are compared by the weakest class."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import wilson
from lab.types import Measurement

ID = "per_class_accuracy"


def per_class_accuracy(outputs: Array, labels: Array) -> Measurement:
    """Return the lowest accuracy of all classes, with the accuracy of each class and its Wilson
    interval as parts named by class number.

    The lowest of many noisy values usually lies below the true value.

    Args:
        outputs: float (items, classes).
        labels: int (items,).
    """
    right = outputs.argmax(axis=1) == labels
    parts = tuple(_part(int(c), right[labels == c]) for c in np.unique(labels))
    weakest = min(parts, key=lambda part: part.value)
    return Measurement(ID, weakest.value, "1", weakest.n, weakest.low, weakest.high, parts=parts)


def _part(number: int, right: Array) -> Measurement:
    correct, n = int(right.sum()), len(right)
    return Measurement(str(number), correct / n, "1", n, *wilson(correct, n))


METRIC = Metric(
    id=ID,
    title="Weakest class",
    unit="1",
    direction="maximize",
    tasks=("classification",),
    help="Accuracy of the class with the lowest accuracy; the trial's details list every class.",
    noun="weakest class",
    needs=("outputs", "labels"),
    compute=per_class_accuracy,
)
