"""Memory that a variant adds to the bare runtime."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement


def peak_rss_bytes(peak_rss: Array) -> Measurement:
    """Return the median peak resident set above the bare runtime, with the observed range."""
    return Measurement(
        "peak_rss_bytes",
        float(np.median(peak_rss)),
        "B",
        len(peak_rss),
        float(peak_rss.min()),
        float(peak_rss.max()),
    )


METRIC = Metric(
    id="peak_rss_bytes",
    title="Peak memory",
    unit="B",
    direction="minimize",
    needs=("peak_rss",),
    compute=peak_rss_bytes,
    help=(
        "Peak resident memory while loading and running once, above a process that has only loaded"
        " the runtime. The interval is the observed range."
    ),
    noun="memory",
    best="least memory",
    more_less=("more memory", "less memory"),
)
