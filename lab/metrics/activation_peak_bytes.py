"""Peak memory of a variant's activations, planned from its graph."""

from lab.plugs import Array, Metric
from lab.types import Measurement


def activation_peak_bytes(live_bytes: Array) -> Measurement:
    """Return the largest number of activation bytes alive at once, from shape (operators,)."""
    return Measurement("activation_peak_bytes", float(live_bytes.max()), "B", source="estimated")


METRIC = Metric(
    id="activation_peak_bytes",
    title="Activation peak",
    unit="B",
    direction="minimize",
    needs=("live_bytes",),
    compute=activation_peak_bytes,
    help=(
        "Largest number of activation bytes in memory at once for one item, planned from the file's"
        " graph and not measured. Each activation is kept from its computation to its last use, in"
        " its stored type; inputs, weights and working memory are not included."
    ),
    noun="activation memory",
    best="least activation memory",
    more_less=("more activation memory", "less activation memory"),
)
