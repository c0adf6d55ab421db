"""Palettes of weights: few values that stand for many (k-means in one dimension).

Batch normalisations are folded first: every deployed file has them folded, and folding afterwards
would scale each channel's values, so that a layer had as many values as before for each of its
channels.
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
    "Exchanges each layer's weights for the nearest of few values. Files store them like any"
    " numbers: the compressed download shrinks, the file and the time stay."
)
ROUNDS = 200
"""Of Lloyd's algorithm at most; it ends when no centre moves any more."""
BINS = (8, 16, 32, 64, 128, 512)
"""Of the histograms that centres begin with: Lloyd's algorithm ends where it began well."""

CLUSTERS = Option(
    id="clusters",
    label="Values",
    kind="int",
    default=32,
    low=2,
    high=256,
    help=(
        "How many different values weights may take: fewer compress better and round more. 16 need"
        " 4 bits, 256 need 8."
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
        "Whether a layer's weights share their values, or each output channel has its own: nearer"
        " to the weights, but less to compress."
    ),
)
STUDY = ({"clusters": 8, "scope": "channel"},)
"""What the full preset tries beside its grid."""
CLUSTERING = (CLUSTERS, SCOPE, KEEP)


def clusters_name(params: Mapping[str, Any]) -> str:
    """`clusters16`, `clusters16_per_channel`, and the layers that are spared."""
    per_channel = "per_channel" if params[SCOPE.id] == "channel" else ""
    return speaking_name(f"clusters{params[CLUSTERS.id]}", per_channel, chosen_suffix(params))


def clustered(weights: Array, clusters: int, scope: str = "tensor", channel_axis: int = 0) -> Array:
    """The weights, each exchanged for the nearest of few values.

    Zeros stay zeros, so that what was pruned stays pruned; where there are any, 0 is one of the
    values.

    Args:
        weights: float32, any shape.
        clusters: how many values, of the tensor or of each channel; what has no more than these is
            left as it is.
        scope: "tensor" or "channel".
        channel_axis: of the outputs.

    Returns:
        float32, the same shape.
    """
    if scope == "tensor":
        return _palette_of(weights.ravel(), clusters).reshape(weights.shape)
    rows = np.moveaxis(weights, channel_axis, 0)
    made = np.stack([_palette_of(row.ravel(), clusters).reshape(row.shape) for row in rows])
    return np.ascontiguousarray(np.moveaxis(made, 0, channel_axis))


def _palette_of(values: Array, clusters: int) -> Array:
    """One row of weights with its own palette."""
    used = values != 0
    most = clusters - (not used.all())
    if len(np.unique(values[used])) <= most:
        return values
    made = np.zeros_like(values)
    made[used] = nearest(values[used], means(values[used], most))
    return made


def nearest(values: Array, centres: Array) -> Array:
    """For each value the nearest of the sorted centres."""
    return np.asarray(centres[np.searchsorted((centres[1:] + centres[:-1]) / 2, values)])


def means(values: Array, clusters: int) -> Array:
    """Centres of k-means in one dimension, sorted, float32, the same each time: the best of several
    beginnings.

    A centre that is left without values is dropped.
    """
    ordered = np.sort(values.astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    tried = [_settled(_first_centres(ordered, clusters, bins), ordered, sums) for bins in BINS]
    best = min(tried, key=lambda centres: float(((nearest(ordered, centres) - ordered) ** 2).sum()))
    return best.astype(np.float32)


def _settled(centres: Array, ordered: Array, sums: Array) -> Array:
    """Lloyd's algorithm: each centre moves to the mean of the values that are nearest to it."""
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
    """As dense as the cube root of the values' own density, which is best for many centres (Panter
    & Dite 1951, Proc. IRE 39:44).
    """
    counts, edges = np.histogram(ordered, bins)
    reached = np.concatenate([[0.0], np.cumsum(np.cbrt(counts))])
    return np.asarray(
        np.interp((np.arange(clusters) + 0.5) / clusters * reached[-1], reached, edges)
    )


def noted(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, Any]:
    """What a trial keeps of a clustering: different values in each layer, and how far weights were
    moved.

    Args:
        before, after: layer -> weights.
    """
    moved = sum(float(((after[name] - w) ** 2).sum()) for name, w in before.items())
    whole = sum(float((w**2).sum()) for w in before.values())
    values = {name: len(np.unique(w)) for name, w in after.items()}
    return {"values": values, "relative_error": round((moved / max(whole, 1e-12)) ** 0.5, 4)}
