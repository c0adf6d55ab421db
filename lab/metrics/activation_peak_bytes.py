"""Memory that a variant's activations need at once, planned from its graph."""

from lab.plugs import Array, Metric
from lab.types import Measurement


def activation_peak_bytes(live_bytes: Array) -> Measurement:
    """The most bytes of activations that are alive at once; shape (operators,) -> one number."""
    return Measurement("activation_peak_bytes", float(live_bytes.max()), "B", source="estimated")


METRIC = Metric(
    id="activation_peak_bytes",
    title="Activation peak",
    unit="B",
    direction="minimize",
    needs=("live_bytes",),
    compute=activation_peak_bytes,
    help=(
        "Most bytes of activations that must be in memory at once for one item, planned from the"
        " file's graph and not measured. Each is kept from where it is made until it is last read,"
        " in the type that it is handed on in; inputs, weights and working memory come on top."
    ),
    noun="activation memory",
    best="leanest in activations",
    more_less=("more activation memory", "less activation memory"),
)
