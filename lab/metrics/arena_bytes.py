"""Memory of LiteRT's tensor arena."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement


def arena_bytes(arena: Array) -> Measurement:
    """Return the median over fresh processes with the observed range, from shape (processes,)."""
    return Measurement(
        "arena_bytes",
        float(np.median(arena)),
        "B",
        len(arena),
        float(arena.min()),
        float(arena.max()),
    )


METRIC = Metric(
    id="arena_bytes",
    title="LiteRT arena",
    unit="B",
    direction="minimize",
    needs=("arena",),
    compute=arena_bytes,
    help=(
        "Bytes that LiteRT allocates for inputs, outputs, activations and the working memory of its"
        " own kernels, derived from the addresses of its tensors. Memory of operators that run in"
        " XNNPACK is not included: with XNNPACK on, little more than inputs and outputs remains."
    ),
    noun="arena",
    best="smallest arena",
    more_less=("larger arena", "smaller arena"),
)
