"""Importance of each channel of a Keras model, and the choice of the channels to remove.

The measures are those of torch-pruning's `GroupMagnitudeImportance` and `GroupTaylorImportance`:
the mean over all kernels that make or read a channel and over the factors of the normalisations
that scale it; the mean of each group is 1. Depthwise kernels and biases do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.compress.channels import kept_counts
from lab.compress.keras.channels import Channels
from lab.compress.keras.coupling import Axis
from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array

Slopes = Mapping[str, Sequence[Array]]
"""Layer -> derivative of the loss by each of its weights, in the order of `get_weights()`."""
_COUNTED = {
    "l1": ("makes", "reads", "scales"),
    "l2": ("makes", "reads", "scales"),
    "taylor": ("makes", "reads", "scales"),
    "bn_scale": ("scales",),
}


def importances(
    channels: Channels, measure: str, seed: int = 0, slopes: Slopes | None = None
) -> list[Array]:
    """Return an array for each group of `channels.groups` with the importance of each of its
    channels; its mean is 1.

    Args:
        measure: "l1", "l2", "bn_scale" (l2 where no batch normalisation scales a group), "taylor"
            or "random".
        seed: seed of "random".
        slopes: derivatives of the loss, for "taylor".
    """
    if measure == "random":
        rng = np.random.default_rng(seed)
        return [rng.random(len(ids)) for ids in channels.groups.values()]
    sizes = _sizes(channels, measure, slopes)
    weights = sizes if measure != "bn_scale" else _sizes(channels, "l2", None)
    measured = [_reduced(channels, ids, sizes) for ids in channels.groups.values()]
    return [
        _reduced(channels, ids, weights) if values is None else values
        for ids, values in zip(channels.groups.values(), measured, strict=True)
    ]


def _sizes(channels: Channels, measure: str, slopes: Slopes | None) -> list[tuple[Axis, Array]]:
    """Return (axis, importance of each position along it) of every weight that counts."""
    weights = {layer.name: layer.get_weights() for layer in channels.model.layers}
    return [
        (axis, _size(axis, weights[axis.layer][axis.weight], measure, slopes))
        for axis in channels.coupling.axes
        if axis.role in _COUNTED[measure]
    ]


def _size(axis: Axis, weight: Array, measure: str, slopes: Slopes | None) -> Array:
    value = np.asarray(weight, np.float64)
    if measure == "taylor":
        assert slopes is not None
        value = value * slopes[axis.layer][axis.weight]
    amount = np.abs(value) if measure in ("l1", "taylor", "bn_scale") else value**2
    return np.asarray(
        amount.sum(tuple(n for n in range(value.ndim) if n != axis.axis)) * axis.repeats
    )


def _reduced(channels: Channels, ids: Array, sizes: list[tuple[Axis, Array]]) -> Any:
    """Return the mean over the weights that hold channels of a group; None where there are none."""
    position, total, counted = np.full(len(channels.representatives), -1), np.zeros(len(ids)), 0
    position[ids] = np.arange(len(ids))
    for axis, values in sizes:
        at = position[channels.representatives[axis.channels]]
        if (here := at >= 0).any():
            np.add.at(total, at[here], values[here])
            counted += 1
    return total / max(total.mean(), 1e-300) if counted else None


def pruned(
    channels: Channels,
    importance: Sequence[Array],
    sizes: Sequence[int],
    ratio: float,
    scope: str,
    round_to: int,
) -> list[int]:
    """Return the channels to remove: the least important ones of each group, but never all that a
    layer makes.

    Args:
        importance: see `importances`.
        sizes: number of channels of each group before the first pruning step.

    Raises:
        InvalidFile: no channel can be removed.
    """
    if not channels.groups:
        raise InvalidFile(
            "No channel of this model can be taken out",
            allowed="channels between two layers with weights",
            given=", ".join(channels.coupling.protected_by) or "no such channels",
            remedy="Choose keras_weight_pruning, or spare fewer layers",
        )
    removed: list[int] = []
    counts = kept_counts(importance, sizes, ratio, scope, round_to)
    for (layers, ids), values, kept in zip(
        channels.groups.items(), importance, counts, strict=True
    ):
        order = np.argsort(values, kind="stable")
        removed_of_group = set(ids[order[: len(ids) - kept]].tolist())
        for layer in layers:
            layer_ids = set(channels.made_by(layer).tolist())
            if layer_ids and layer_ids <= removed_of_group:
                removed_of_group.discard(
                    max(
                        layer_ids,
                        key=dict(zip(ids.tolist(), values.tolist(), strict=True)).__getitem__,
                    )
                )
        removed += sorted(removed_of_group)
    return removed
