"""Weight clustering: each weight becomes one of a few values (k-means in one dimension).

Batch normalisations are folded first: every deployed file has them folded, and folding afterwards
would scale each channel's values, so that a layer would again have as many different values as
before, per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.compress.choosing import KEEP, chosen_suffix
from lab.compress.naming import speaking_name
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array

HELP = (
    "Replaces each weight by the nearest of a few values. Files store them like any other"
    " weights: the compressed download shrinks, the file and the latency stay the same."
)
ROUNDS = 200
"""Maximum number of iterations of Lloyd's algorithm; it ends earlier when no centre moves."""
BINS = (8, 16, 32, 64, 128, 512)
"""Numbers of bins of the histograms from which centres are initialized: the result of Lloyd's
algorithm depends on its start.
"""

CLUSTERS = Option(
    id="clusters",
    label="Values",
    kind="int",
    default=32,
    low=2,
    high=256,
    help=(
        "Number of different values that weights may have: fewer compress better and round"
        " more. 16 need 4 bits, 256 need 8."
    ),
    sweep={"full": (32, 16)},
)
SCOPE = Option(
    id="scope",
    label="Values for",
    kind="choice",
    default="tensor",
    choices=("tensor", "channel"),
    help=(
        "Scope of the values: one set for a whole layer (tensor), or one set for each output"
        " channel (channel), which is nearer to the weights but compresses less."
    ),
)
STUDY = ({"clusters": 8, "scope": "channel"},)
"""Settings that the full preset tries beside its grid."""
CLUSTERING = (CLUSTERS, SCOPE, KEEP)


def clusters_name(params: Mapping[str, Any]) -> str:
    """Return a name like `clusters16` or `clusters16_per_channel`, with the layers that stay
    unchanged.
    """
    per_channel = "per_channel" if params[SCOPE.id] == "channel" else ""
    return speaking_name(f"clusters{params[CLUSTERS.id]}", per_channel, chosen_suffix(params))


def clustered(weights: Array, clusters: int, scope: str = "tensor", channel_axis: int = 0) -> Array:
    """Return the weights, each replaced by the nearest of a few values.

    Zeros stay zeros, so that pruned weights stay pruned; where there are any, 0 is one of the
    values.

    Args:
        weights: float32, any shape.
        clusters: number of values per tensor or per channel; a tensor or channel that has no more
            stays unchanged.
        scope: "tensor" or "channel".
        channel_axis: axis of the output channels.

    Returns:
        float32, the same shape.
    """
    if scope == "tensor":
        return _palette_of(weights.ravel(), clusters).reshape(weights.shape)
    rows = np.moveaxis(weights, channel_axis, 0)
    clustered_rows = np.stack(
        [_palette_of(row.ravel(), clusters).reshape(row.shape) for row in rows]
    )
    return np.ascontiguousarray(np.moveaxis(clustered_rows, 0, channel_axis))


def _palette_of(values: Array, clusters: int) -> Array:
    """Cluster one row of weights with its own palette."""
    used = values != 0
    most = clusters - (not used.all())
    if len(np.unique(values[used])) <= most:
        return values
    clustered_values = np.zeros_like(values)
    clustered_values[used] = nearest(values[used], means(values[used], most))
    return clustered_values


def nearest(values: Array, centres: Array) -> Array:
    """Return the nearest of the sorted centres for each value."""
    return np.asarray(centres[np.searchsorted((centres[1:] + centres[:-1]) / 2, values)])


def means(values: Array, clusters: int) -> Array:
    """Return the centres of k-means in one dimension: sorted, float32, deterministic, the best of
    several starts.

    A centre without values is dropped.
    """
    ordered = np.sort(values.astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    tried = [_settled(_first_centres(ordered, clusters, bins), ordered, sums) for bins in BINS]
    best = min(tried, key=lambda centres: float(((nearest(ordered, centres) - ordered) ** 2).sum()))
    return best.astype(np.float32)


def _settled(centres: Array, ordered: Array, sums: Array) -> Array:
    """Run Lloyd's algorithm: move each centre to the mean of the values nearest to it."""
    for _ in range(ROUNDS):
        ends = np.concatenate(
            [[0], np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2), [len(ordered)]]
        )
        counts = np.diff(ends)
        moved = np.diff(sums[ends])[counts > 0] / counts[counts > 0]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _first_centres(ordered: Array, clusters: int, bins: int) -> Array:
    """Return initial centres as dense as the cube root of the values' density, which is best for
    many centres (Panter & Dite 1951, Proc. IRE 39:44).
    """
    counts, edges = np.histogram(ordered, bins)
    reached = np.concatenate([[0.0], np.cumsum(np.cbrt(counts))])
    return np.asarray(
        np.interp((np.arange(clusters) + 0.5) / clusters * reached[-1], reached, edges)
    )


def noted(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, Any]:
    """Return the note about a clustering: number of different values in each layer, and how far
    weights moved.

    Args:
        before, after: layer -> weights.
    """
    moved = sum(float(((after[name] - w) ** 2).sum()) for name, w in before.items())
    whole = sum(float((w**2).sum()) for w in before.values())
    values = {name: len(np.unique(w)) for name, w in after.items()}
    return {"values": values, "relative_error": round((moved / max(whole, 1e-12)) ** 0.5, 4)}
