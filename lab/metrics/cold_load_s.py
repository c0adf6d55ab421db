"""Time from opening the file to the first output in a fresh process."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement


def cold_load_s(cold_load: Array) -> Measurement:
    """Return the median seconds from opening the file to the end of the first run, with the
    observed range.
    """
    return Measurement(
        "cold_load_s",
        float(np.median(cold_load)),
        "s",
        len(cold_load),
        float(cold_load.min()),
        float(cold_load.max()),
    )


METRIC = Metric(
    id="cold_load_s",
    title="Cold load",
    unit="s",
    direction="minimize",
    needs=("cold_load",),
    compute=cold_load_s,
    help=(
        "Seconds from opening the file to the end of the first run, in a fresh process with the"
        " runtime already loaded. The interval is the observed range."
    ),
    noun="loading time",
    best="fastest to load",
    more_less=("slower to load", "faster to load"),
)
