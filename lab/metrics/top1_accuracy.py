"""Share of test items whose highest-scoring class is the true one."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import wilson
from lab.types import Measurement


def top1_accuracy(outputs: Array, labels: Array) -> Measurement:
    """Return the top-1 accuracy with its Wilson interval.

    Args:
        outputs: float (items, classes), scores or logits.
        labels: int (items,), class indices.
    """
    correct, n = int(np.sum(outputs.argmax(axis=1) == labels)), len(labels)
    low, high = wilson(correct, n)
    return Measurement("top1_accuracy", correct / n, "1", n, low, high)


METRIC = Metric(
    id="top1_accuracy",
    title="Top-1 accuracy",
    unit="1",
    direction="maximize",
    tasks=("classification",),
    help="Share of test items whose highest-scoring class is the true one.",
    needs=("outputs", "labels"),
    compute=top1_accuracy,
    noun="accuracy",
    best="most accurate",
    more_less=("more accurate", "less accurate"),
)
