"""Layers and variables of a Keras model whose weights are matrices or kernels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lab.compress.choosing import KEEP, check_names


def weighted_layers(model: Any, keep: Collection[str] = ()) -> dict[str, Any]:
    """Return name -> layer for layers that have weights of two or more axes, in the model's order,
    without those in `keep`.

    Args:
        model: flat, see `lab.compress.keras.graph.rebuilt`.

    Raises:
        InvalidOption: `keep` names a layer that is not one of them.
    """
    layers = {layer.name: layer for layer in model.layers if kernels(layer)}
    check_names(KEEP.id, keep, layers)
    return {name: layer for name, layer in layers.items() if name not in keep}


def kernels(layer: Any) -> dict[str, Any]:
    """Return path in the layer -> variable, for trainable variables of two or more axes."""
    return {
        v.path.removeprefix(f"{layer.name}/"): v
        for v in layer.trainable_variables
        if len(v.shape) > 1
    }
