"""How long a fresh process waits for its first answer."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement


def cold_load_s(cold_load: Array) -> Measurement:
    """Median seconds from opening the file to the end of the first run, with the range seen."""
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
        "Seconds from opening the file to the end of the first run, in a fresh process whose"
        " runtime is loaded. The interval is the range seen."
    ),
    noun="loading time",
    best="quickest to load",
    more_less=("slower to load", "faster to load"),
)
