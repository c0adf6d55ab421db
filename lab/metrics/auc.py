"""Area under the ROC curve: probability that an anomalous item scores above a normal one."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import Z95
from lab.tasks.anomaly_detection import predictions
from lab.types import Measurement


def auc(outputs: Array, labels: Array, inputs: Array) -> Measurement:
    """Return the AUC of the reconstruction error with DeLong's 95 % interval (DeLong et al. 1988,
    Biometrics 44:837).

    Args:
        outputs, inputs: float, with the same size per item.
        labels: int (items,), 0 normal and 1 anomalous; both occur.
    """
    scores = predictions(outputs, inputs)
    above, below = _shares_beaten(scores[labels == 1], scores[labels == 0])
    value = float(above.mean())
    half = Z95 * float(np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)))
    return Measurement(
        "auc", value, "1", len(labels), max(0.0, value - half), min(1.0, value + half)
    )


def _shares_beaten(anomalous: Array, normal: Array) -> tuple[Array, Array]:
    """Return for each anomalous item the share of normal items below it, and for each normal item
    the share of anomalous items above it; a tie counts half.
    """
    return _share_below(anomalous, normal), 1 - _share_below(normal, anomalous)


def _share_below(values: Array, others: Array) -> Array:
    ordered = np.sort(others)
    counts = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(counts / (2 * len(others)))


METRIC = Metric(
    id="auc",
    title="AUC",
    unit="1",
    direction="maximize",
    tasks=("anomaly_detection",),
    help=(
        "Area under the ROC curve, the probability that an anomalous item scores above a normal"
        " one, with the 95 % interval of DeLong (1988)."
    ),
    noun="AUC",
    needs=("outputs", "labels", "inputs"),
    compute=auc,
)
