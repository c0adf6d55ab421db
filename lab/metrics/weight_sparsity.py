"""The share of a file's weights that are zero."""

from __future__ import annotations

from lab.plugs import Array, Metric
from lab.types import Measurement


def compute(weight_zeros: Array) -> Measurement | None:
    """Zeros over weights, counted in the file as it is deployed; None where it has no weights that
    can be read.
    """
    zeros, weights = (int(count) for count in weight_zeros)
    return Measurement("weight_sparsity", zeros / weights, "1", weights) if weights else None


METRIC = Metric(
    id="weight_sparsity",
    title="Weights that are zero",
    help=(
        "The share of the weights in the deployed file that are zero. Most files store zeros like"
        " any number, so that only the compressed download shrinks by them."
    ),
    unit="1",
    direction="maximize",
    needs=("weight_zeros",),
    compute=compute,
    noun="sparsity",
    best="sparsest",
    more_less=("sparser", "denser"),
)
