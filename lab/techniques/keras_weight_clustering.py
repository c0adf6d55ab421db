"""Weight clustering of Keras models (k-means)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import KEEP
from lab.compress.clustering import CLUSTERING, HELP, STUDY, clustered, clusters_name, noted
from lab.plugs import Array, Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.graph import fold_batch_norms
    from lab.compress.keras.weighted import kernels, weighted_layers
    from lab.formats.keras.files import load_keras, save_keras
    from lab.formats.quiet import quiet

    with quiet():
        model = fold_batch_norms(load_keras(source))
        layers = weighted_layers(model, params[KEEP.id])
        variables = {
            f"{name}/{path}": (layer, v)
            for name, layer in layers.items()
            for path, v in kernels(layer).items()
        }
        before = {name: variable.numpy() for name, (_, variable) in variables.items()}
        after = {
            name: _clustered(variables[name][0], weights, params)
            for name, weights in before.items()
        }
        for name, (_, variable) in variables.items():
            variable.assign(after[name])
        context.note("clustering", noted(before, after))
        return save_keras(model, context.workdir / "model.keras")


def _clustered(layer: Any, weights: Array, params: Mapping[str, Any]) -> Array:
    """Return the clustered kernel; its output axis is the last one, or the last two of a depthwise
    kernel.
    """
    depthwise = "Depthwise" in type(layer).__name__
    flat = weights.reshape(*weights.shape[:-2], -1) if depthwise else weights
    return clustered(flat, params["clusters"], params["scope"], channel_axis=-1).reshape(
        weights.shape
    )


TECHNIQUE = Technique(
    id="keras_weight_clustering",
    title="Weight clustering",
    help=HELP,
    accepts=("keras",),
    produces="keras",
    apply=_apply,
    name=clusters_name,
    options=CLUSTERING,
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    presets=("full",),
    extra={"full": STUDY},
    typical_s=3.0,
)
