"""Memory that LiteRT lays a model's tensors out in."""

from lab.lazy import np
from lab.plugs import Array, Metric
from lab.types import Measurement


def arena_bytes(arena: Array) -> Measurement:
    """Median over fresh processes, with the range seen; shape (processes,) -> one number."""
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
        "Bytes that LiteRT set aside for inputs, outputs, activations and its own kernels' working"
        " memory, read from where its tensors lie. What XNNPACK allocates for the operators that it"
        " takes over is not in it: with XNNPACK on, little more than inputs and outputs is left."
    ),
    noun="arena",
    best="smallest arena",
    more_less=("larger arena", "smaller arena"),
)
