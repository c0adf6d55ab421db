"""Divergence of a variant's class probabilities from those of the float model."""

from lab.lazy import np
from lab.metrics.calibration_error import probabilities
from lab.plugs import Array, Metric
from lab.statistics import Z95
from lab.types import Measurement

SMALLEST = 1e-12


def kl_divergence(outputs: Array, baseline_outputs: Array) -> Measurement:
    """Return the mean Kullback-Leibler divergence of the variant from the float model over items,
    in nats.

    Args:
        outputs, baseline_outputs: float (items, classes), probabilities or logits.
    """
    p, q = (np.maximum(probabilities(x), SMALLEST) for x in (baseline_outputs, outputs))
    each, n = (p * np.log(p / q)).sum(axis=1), len(p)
    value, half = float(max(each.mean(), 0.0)), Z95 * float(each.std()) / n**0.5
    return Measurement("kl_divergence", value, "nat", n, max(value - half, 0.0), value + half)


METRIC = Metric(
    id="kl_divergence",
    title="Divergence from float",
    unit="nat",
    direction="minimize",
    tasks=("classification",),
    help=(
        "Mean Kullback-Leibler divergence of the variant's class probabilities from those of the"
        " float model; it changes before the accuracy does."
    ),
    noun="divergence",
    best="closest probabilities",
    about_both=True,
    needs=("outputs", "baseline_outputs"),
    compute=kl_divergence,
)
