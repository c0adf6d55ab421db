"""Change of accuracy of a variant against the float baseline, item by item."""

from lab.plugs import Array, Metric
from lab.statistics import paired_difference
from lab.types import Measurement


def accuracy_change(outputs: Array, labels: Array, baseline_outputs: Array) -> Measurement:
    """Return the share of items gained minus the share of items lost, with the interval of a paired
    difference.

    Both models predict the same items, so this interval is much narrower than those of the two
    accuracies.

    Args:
        outputs, baseline_outputs: float (items, classes).
        labels: int (items,).
    """
    right, before = outputs.argmax(axis=1) == labels, baseline_outputs.argmax(axis=1) == labels
    won, lost, n = int((right & ~before).sum()), int((~right & before).sum()), len(labels)
    return Measurement(
        "accuracy_change", (won - lost) / n, "1", n, *paired_difference(won, lost, n)
    )


METRIC = Metric(
    id="accuracy_change",
    title="Accuracy change",
    unit="1",
    direction="maximize",
    tasks=("classification",),
    help=(
        "Share of test items that the variant predicts correctly and the float model does not,"
        " minus the reverse, with the 95 % interval of a paired difference (Bonett and Price 2012)."
    ),
    noun="change of accuracy",
    best="least loss of accuracy",
    about_both=True,
    needs=("outputs", "labels", "baseline_outputs"),
    compute=accuracy_change,
)
