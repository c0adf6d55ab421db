"""Whether a confidence of 90 % is right nine times in ten."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement

BINS, DRAWS = 15, 200
SUM_TOLERANCE = 0.05
"""How far from one a row of probabilities may sum: an 8-bit softmax of many classes does not hit
it.
"""


def calibration_error(outputs: Array, labels: Array) -> Measurement:
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599) over 15 bins of equal width.

    The interval resamples items. Resampling adds noise to each bin, so that it leans upwards.

    Args:
        outputs: float (items, classes), probabilities or logits; logits go through a softmax.
        labels: int (items,).
    """
    confidence, right = probabilities(outputs).max(axis=1), outputs.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps, n = right - confidence, len(labels)
    value = _error(bins, gaps)
    picks = np.random.default_rng(0).integers(0, n, (DRAWS, n))
    low, high = np.quantile([_error(bins[p], gaps[p]) for p in picks], [0.025, 0.975])
    return Measurement(
        "calibration_error", value, "1", n, min(float(low), value), max(float(high), value)
    )


def probabilities(outputs: Array) -> Array:
    """Rows that sum to one: outputs themselves where they are probabilities already, else their
    softmax; float64.
    """
    outputs = outputs.astype(np.float64)
    sums = outputs.sum(axis=1, keepdims=True)
    if outputs.min() >= 0 and np.abs(sums - 1).max() <= SUM_TOLERANCE:
        return np.asarray(outputs / sums)
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _error(bins: Array, gaps: Array) -> float:
    """Sum over bins of (items in it / all) × |accuracy - mean confidence|."""
    return float(np.abs(np.bincount(bins, gaps, BINS)).sum() / len(bins))


METRIC = Metric(
    id="calibration_error",
    title="Calibration error",
    unit="1",
    direction="minimize",
    tasks=("classification",),
    help=(
        "Expected calibration error: how far the model's confidence is from its share of right"
        " answers, over 15 bins (Guo et al. 2017)."
    ),
    noun="calibration error",
    best="best calibrated",
    needs=("outputs", "labels"),
    compute=calibration_error,
)
