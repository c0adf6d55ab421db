"""Share of test items whose true class is among the five highest-scoring ones."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import wilson
from lab.types import Measurement

TOP = 5


def top5_accuracy(outputs: Array, labels: Array) -> Measurement | None:
    """Return the top-5 accuracy with its Wilson interval; None for five classes or fewer, where it
    is always 1.

    Args:
        outputs: float (items, classes), scores or logits. Among equal scores, the class with the
            lower index comes first.
        labels: int (items,), class indices.
    """
    if outputs.shape[1] <= TOP:
        return None
    best = np.argsort(-outputs, axis=1, kind="stable")[:, :TOP]
    correct, n = int(np.sum(best == labels[:, np.newaxis])), len(labels)
    return Measurement("top5_accuracy", correct / n, "1", n, *wilson(correct, n))


METRIC = Metric(
    id="top5_accuracy",
    title="Top-5 accuracy",
    unit="1",
    direction="maximize",
    tasks=("classification",),
    help=(
        "Share of test items whose true class is among the five highest-scoring ones. It is left"
        " out for five classes or fewer."
    ),
    noun="top-5 accuracy",
    needs=("outputs", "labels"),
    compute=top5_accuracy,
)
