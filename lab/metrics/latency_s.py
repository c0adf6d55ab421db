"""Median time of one warm call."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import cluster_bootstrap
from lab.types import Measurement


def latency_s(latency: list[Array]) -> Measurement:
    """Return the median over all timed runs, with a bootstrap interval over rounds.

    Args:
        latency: seconds of each timed run, one 1-D array per round.
    """
    pooled = np.concatenate(latency)
    low, high = cluster_bootstrap(latency, 0.5)
    return Measurement("latency_s", float(np.quantile(pooled, 0.5)), "s", len(pooled), low, high)


METRIC = Metric(
    id="latency_s",
    title="Latency (median)",
    unit="s",
    direction="minimize",
    needs=("latency",),
    compute=latency_s,
    help=(
        "Median time of a warm call with the target's batch, usually one item, measured in"
        " interleaved rounds. The 95 % interval comes from resampled rounds."
    ),
    noun="latency",
    best="fastest",
)
