"""How often each class is recognised; the weakest class is the number that is compared."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import wilson
from lab.types import Measurement

ID = "per_class_accuracy"


def per_class_accuracy(outputs: Array, labels: Array) -> Measurement:
    """Share of each class's items that are recognised, each with its Wilson interval, as parts
    named by class number.

    The value is the lowest of them. It is the lowest of many noisy numbers, so it lies below the
    truth as a rule.

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
    help=(
        "Share of the items recognised in the class that is recognised worst; the trial's details"
        " list every class."
    ),
    noun="weakest class",
    needs=("outputs", "labels"),
    compute=per_class_accuracy,
)
