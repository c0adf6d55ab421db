"""90th percentile of the time of one warm call."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import tail_interval
from lab.types import Measurement


def latency_p90_s(latency: list[Array]) -> Measurement:
    """Return quantile 0.9 over all timed runs, with an interval from the variation between rounds.

    Args:
        latency: seconds of each timed run, one 1-D array per round.
    """
    pooled = np.concatenate(latency)
    low, high = tail_interval(latency, 0.9)
    return Measurement(
        "latency_p90_s", float(np.quantile(pooled, 0.9)), "s", len(pooled), low, high
    )


METRIC = Metric(
    id="latency_p90_s",
    title="Latency (p90)",
    unit="s",
    direction="minimize",
    needs=("latency",),
    compute=latency_p90_s,
    help=(
        "Time below which 90 % of the warm calls were, measured in interleaved rounds. The 95 %"
        " interval follows from the variation between rounds (Woodruff 1952)."
    ),
    noun="slow-case latency",
    best="fastest at the 90th percentile",
)
