"""99th percentile of the time of one warm call."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.statistics import tail_interval
from lab.types import Measurement

FEWEST = 300
"""Number of runs of which three are slower; with fewer runs the value would be one of the slowest
two.
"""


def latency_p99_s(latency: list[Array]) -> Measurement | None:
    """Return quantile 0.99 over all timed runs, with an interval from the variation between rounds.

    Args:
        latency: seconds of each timed run, one 1-D array per round; the result is None below FEWEST
            runs in total.
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
        "Time below which 99 % of the warm calls were, measured in interleaved rounds. The 95 %"
        " interval follows from the variation between rounds (Woodruff 1952)."
    ),
    noun="worst-case latency",
    best="fastest at the 99th percentile",
)
