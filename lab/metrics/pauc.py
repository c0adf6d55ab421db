"""Partial area under the ROC curve at low false-alarm rates, which matter in a factory."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.tasks.anomaly_detection import predictions
from lab.types import Measurement

MAX_FALSE_ALARMS = 0.1
DRAWS = 200


def pauc(outputs: Array, labels: Array, inputs: Array) -> Measurement:
    """Return the partial AUC up to a false-alarm rate of 0.1, standardized so that chance is 0.5
    (McClish 1989, Med Decis Making 9:190).

    The 95 % interval resamples normal and anomalous items separately.

    Args:
        outputs, inputs: float, with the same size per item.
        labels: int (items,), 0 normal and 1 anomalous; both occur.
    """
    scores = predictions(outputs, inputs)
    anomalous, normal, rng = scores[labels == 1], scores[labels == 0], np.random.default_rng(0)
    value = _partial(anomalous, normal)
    drawn = [
        _partial(rng.choice(anomalous, len(anomalous)), rng.choice(normal, len(normal)))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Measurement(
        "pauc", value, "1", len(labels), min(float(low), value), max(float(high), value)
    )


def _partial(anomalous: Array, normal: Array) -> float:
    rates = _curve(anomalous, normal)
    hits = np.interp(MAX_FALSE_ALARMS, *rates)
    inside = rates[0] < MAX_FALSE_ALARMS
    alarms = np.append(rates[0][inside], MAX_FALSE_ALARMS)
    area = float(np.trapezoid(np.append(rates[1][inside], hits), alarms))
    chance = MAX_FALSE_ALARMS**2 / 2
    return 0.5 * (1 + (area - chance) / (MAX_FALSE_ALARMS - chance))


def _curve(anomalous: Array, normal: Array) -> tuple[Array, Array]:
    """Return the false-alarm rates and hit rates at every threshold, both rising from 0 to 1."""
    thresholds = np.unique(np.concatenate([anomalous, normal]))[::-1]
    false_alarms = 1 - np.searchsorted(np.sort(normal), thresholds, "left") / len(normal)
    hits = 1 - np.searchsorted(np.sort(anomalous), thresholds, "left") / len(anomalous)
    return np.append(0.0, false_alarms), np.append(0.0, hits)


METRIC = Metric(
    id="pauc",
    title="Partial AUC",
    unit="1",
    direction="maximize",
    tasks=("anomaly_detection",),
    help=(
        "AUC at false-alarm rates up to 0.1, standardized so that chance is 50 % (McClish 1989)."
        " The 95 % interval comes from resampled items."
    ),
    noun="partial AUC",
    needs=("outputs", "labels", "inputs"),
    compute=pauc,
)
