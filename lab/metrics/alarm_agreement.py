"""Share of test items for which a variant and the float baseline agree on the alarm."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import wilson
from lab.tasks.anomaly_detection import predictions
from lab.types import Measurement

FALSE_ALARMS = 0.1


def alarm_agreement(
    outputs: Array, baseline_outputs: Array, labels: Array, inputs: Array
) -> Measurement:
    """Return the share of equal decisions at one threshold, with the Wilson interval.

    The threshold is that of the float model: the score that one in ten normal items exceeds. It
    ships with the model and is rarely changed for a compressed one.

    Args:
        outputs, baseline_outputs, inputs: float, with the same size per item.
        labels: int (items,), 0 normal and 1 anomalous.
    """
    scores, expected = predictions(outputs, inputs), predictions(baseline_outputs, inputs)
    threshold = alarm_threshold(expected, labels)
    same, n = int(np.sum((scores > threshold) == (expected > threshold))), len(labels)
    return Measurement("alarm_agreement", same / n, "1", n, *wilson(same, n))


def alarm_threshold(scores: Array, labels: Array) -> float:
    """Return the float model's threshold: the score that the share FALSE_ALARMS of the normal items
    exceeds.

    Args:
        scores: scores of the float model, shape (items,).
        labels: int (items,), 0 normal and 1 anomalous.
    """
    return float(np.quantile(scores[labels == 0], 1 - FALSE_ALARMS))


METRIC = Metric(
    id="alarm_agreement",
    title="Agreement with float",
    unit="1",
    direction="maximize",
    tasks=("anomaly_detection",),
    help=(
        "Share of test items for which the variant and the float model agree on the alarm, at the"
        " threshold where the float model has 10 % false alarms."
    ),
    noun="agreement",
    best="closest to the float model",
    about_both=True,
    needs=("outputs", "baseline_outputs", "labels", "inputs"),
    compute=alarm_agreement,
)
