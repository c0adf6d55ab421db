"""How much each channel of a Keras model matters, and which ones go.

Measures are those of torch-pruning's `GroupMagnitudeImportance` and `GroupTaylorImportance`: the
mean over all kernels that make or read a channel, and the factors of the normalisations that scale
it; each group's mean is 1. Depthwise kernels and biases do not count.
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
"""Layer -> the loss's derivative by each of its weights, in the order of `get_weights()`."""
_COUNTED = {
    "l1": ("makes", "reads", "scales"),
    "l2": ("makes", "reads", "scales"),
    "taylor": ("makes", "reads", "scales"),
    "bn_scale": ("scales",),
}


def importances(
    found: Channels, measure: str, seed: int = 0, slopes: Slopes | None = None
) -> list[Array]:
    """For each group of `found.groups` an array with the importance of each of its units, their
    mean 1.

    Args:
        measure: "l1", "l2", "bn_scale" (l2 where no batch normalisation scales a group), "taylor"
            or "random".
        seed: of "random".
        slopes: for "taylor".
    """
    if measure == "random":
        rng = np.random.default_rng(seed)
        return [rng.random(len(units)) for units in found.groups.values()]
    sizes = _sizes(found, measure, slopes)
    weights = sizes if measure != "bn_scale" else _sizes(found, "l2", None)
    measured = [_reduced(found, units, sizes) for units in found.groups.values()]
    return [
        _reduced(found, units, weights) if values is None else values
        for units, values in zip(found.groups.values(), measured, strict=True)
    ]


def _sizes(found: Channels, measure: str, slopes: Slopes | None) -> list[tuple[Axis, Array]]:
    """(axis, importance of each place along it) of every weight that counts."""
    weights = {layer.name: layer.get_weights() for layer in found.model.layers}
    return [
        (axis, _size(axis, weights[axis.layer][axis.weight], measure, slopes))
        for axis in found.coupling.axes
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


def _reduced(found: Channels, units: Array, sizes: list[tuple[Axis, Array]]) -> Any:
    """Mean over the weights that hold channels of a group; None where there are none."""
    place, total, counted = np.full(len(found.roots), -1), np.zeros(len(units)), 0
    place[units] = np.arange(len(units))
    for axis, values in sizes:
        at = place[found.roots[axis.channels]]
        if (here := at >= 0).any():
            np.add.at(total, at[here], values[here])
            counted += 1
    return total / max(total.mean(), 1e-300) if counted else None


def pruned(
    found: Channels,
    importance: Sequence[Array],
    sizes: Sequence[int],
    ratio: float,
    scope: str,
    round_to: int,
) -> list[int]:
    """The units that go: the least important ones of each group, but never all that a layer makes.

    Args:
        importance: see `importances`.
        sizes: how many units each group had before any step.

    Raises:
        InvalidFile: nothing can go.
    """
    if not found.groups:
        raise InvalidFile(
            "No channel of this model can be taken out",
            allowed="channels between two layers with weights",
            given=", ".join(found.coupling.spared_by) or "none such",
            remedy="Choose keras_weight_pruning, or spare fewer layers",
        )
    gone: list[int] = []
    counts = kept_counts(importance, sizes, ratio, scope, round_to)
    for (layers, units), values, kept in zip(found.groups.items(), importance, counts, strict=True):
        order = np.argsort(values, kind="stable")
        going = set(units[order[: len(units) - kept]].tolist())
        for layer in layers:
            made = set(found.made_by(layer).tolist())
            if made and made <= going:
                going.discard(
                    max(
                        made,
                        key=dict(zip(units.tolist(), values.tolist(), strict=True)).__getitem__,
                    )
                )
        gone += sorted(going)
    return gone
