"""The 99th percentile time of one warm call."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import tail_interval
from lab.types import Measurement

FEWEST = 300
"""Runs of which three are slower: with fewer the number would be the slowest run or two."""


def latency_p99_s(latency: list[Array]) -> Measurement | None:
    """Quantile 0.99 over all timed runs, with an interval from how rounds differ.

    Args:
        latency: seconds of each timed run, one 1-D array a round; None below FEWEST runs in all.
    """
    pooled = np.concatenate(latency)
    if len(pooled) < FEWEST:
        return None
    low, high = tail_interval(latency, 0.99)
    return Measurement(
        "latency_p99_s", float(np.quantile(pooled, 0.99)), "s", len(pooled), low, high
    )


METRIC = Metric(
    id="latency_p99_s",
    title="Latency (p99)",
    unit="s",
    direction="minimize",
    needs=("latency",),
    compute=latency_p99_s,
    help=(
        "99 in 100 of the warm calls were quicker than this. Timed in interleaved rounds; 95 %"
        " interval from how rounds differ (Woodruff 1952)."
    ),
    noun="worst-case latency",
    best="fastest in the worst case",
)
