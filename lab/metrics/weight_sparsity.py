"""Share of a file's weights that are zero."""

from __future__ import annotations

from lab.plugs import Array, Metric
from lab.types import Measurement


def compute(weight_zeros: Array) -> Measurement | None:
    """Return zeros divided by weights, counted in the deployed file; None if it has no readable
    weights.
    """
    zeros, weights = (int(count) for count in weight_zeros)
    return Measurement("weight_sparsity", zeros / weights, "1", weights) if weights else None


METRIC = Metric(
    id="weight_sparsity",
    title="Weight sparsity",
    help=(
        "Share of the weights in the deployed file that are zero. Most files store zeros like other"
        " values, so that only the compressed download shrinks."
    ),
    unit="1",
    direction="maximize",
    needs=("weight_zeros",),
    compute=compute,
    noun="sparsity",
    best="sparsest",
    more_less=("sparser", "denser"),
)
