"""Items per second, one call after the other."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import cluster_bootstrap
from lab.types import Measurement


def throughput_per_s(latency: list[Array], batch: int) -> Measurement:
    """Return the items per call divided by the median latency; the interval is the inverted
    interval of the latency.

    Args:
        latency: seconds of each timed run, one 1-D array per round.
        batch: items in one call.
    """
    pooled = np.concatenate(latency)
    quickest, slowest = cluster_bootstrap(latency, 0.5)
    median = float(np.quantile(pooled, 0.5))
    return Measurement(
        "throughput_per_s", batch / median, "1/s", len(pooled), batch / slowest, batch / quickest
    )


METRIC = Metric(
    id="throughput_per_s",
    title="Throughput",
    unit="1/s",
    direction="maximize",
    needs=("latency", "batch"),
    compute=throughput_per_s,
    help=(
        "Items per second if calls follow each other: the target's batch divided by the median"
        " latency of a call."
    ),
    noun="throughput",
    best="highest throughput",
    more_less=("higher", "lower"),
)
