"""The weights of a Keras model that are matrices or kernels, by the name of their layer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lab.compress.choosing import KEEP, check_names


def weighted_layers(model: Any, keep: Collection[str] = ()) -> dict[str, Any]:
    """Name -> layer of all that have weights of two axes or more, in the model's order, without
    those in `keep`.

    Args:
        model: flat, as `lab.compress.keras.graph.rebuilt` makes it.

    Raises:
        InvalidOption: `keep` names a layer that is none of them.
    """
    found = {layer.name: layer for layer in model.layers if kernels(layer)}
    check_names(KEEP.id, keep, found)
    return {name: layer for name, layer in found.items() if name not in keep}


def kernels(layer: Any) -> dict[str, Any]:
    """Path in the layer -> variable, of those that are trained and have two axes or more."""
    return {
        v.path.removeprefix(f"{layer.name}/"): v
        for v in layer.trainable_variables
        if len(v.shape) > 1
    }
