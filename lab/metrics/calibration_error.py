"""Expected calibration error: distance between confidence and accuracy."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement

BINS, DRAWS = 15, 200
SUM_TOLERANCE = 0.05
"""Largest allowed distance of a row's sum from one: an 8-bit softmax of many classes is inexact."""


def calibration_error(outputs: Array, labels: Array) -> Measurement:
    """Return the expected calibration error (Guo et al. 2017, arXiv:1706.04599) over 15 bins of
    equal width.

    The interval resamples items. Resampling adds noise to each bin, which biases it upwards.

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
    """Return rows that sum to one: the outputs if they are probabilities, else their softmax;
    float64.
    """
    outputs = outputs.astype(np.float64)
    sums = outputs.sum(axis=1, keepdims=True)
    if outputs.min() >= 0 and np.abs(sums - 1).max() <= SUM_TOLERANCE:
        return np.asarray(outputs / sums)
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _error(bins: Array, gaps: Array) -> float:
    """Return the sum over bins of (items in bin / all items) × |accuracy - mean confidence|."""
    return float(np.abs(np.bincount(bins, gaps, BINS)).sum() / len(bins))


METRIC = Metric(
    id="calibration_error",
    title="Calibration error",
    unit="1",
    direction="minimize",
    tasks=("classification",),
    help=(
        "Expected calibration error: the mean distance between the model's confidence and its"
        " accuracy, over 15 bins (Guo et al. 2017)."
    ),
    noun="calibration error",
    best="best calibrated",
    needs=("outputs", "labels"),
    compute=calibration_error,
)
