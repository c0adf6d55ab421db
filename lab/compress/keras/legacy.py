"""Carries a Keras 3 model over into tf_keras (Keras 2), layer by layer: what TensorFlow Model
Optimization still works with.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from lab.compress.keras.graph import calls, functional
from lab.errors import InvalidFile
from lab.formats.keras.files import tensorflow

REMEDY = (
    "Choose keras_qat_grid, which trains Keras 3 models as they are, and a static technique"
    " behind it"
)
_PLAIN = (str, int, float, bool, type(None))
_LEFT_OUT = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
    "AlphaDropout", "Identity", "ActivityRegularization",
)  # fmt: skip
"""Layers that do nothing in inference: without them a training is the same each time, also one that
was broken off.
"""


def legacy_keras() -> tuple[Any, Any]:
    """The modules tf_keras and tensorflow_model_optimization, beside whatever Keras is loaded.

    TFMOT sets an environment variable when it is imported, which would turn TensorFlow's own Keras
    into tf_keras in processes that are
    started later; it takes tf_keras whatever the variable says.
    """
    name = "TF_USE_LEGACY_KERAS"
    before = os.environ.get(name)
    tensorflow()
    import tensorflow_model_optimization
    import tf_keras

    os.environ.pop(name, None) if before is None else os.environ.__setitem__(name, before)
    return tf_keras, tensorflow_model_optimization


def carried_over(model: Any, tf_keras: Any) -> Any:
    """A tf_keras model of the same layers, names and weights.

    Args:
        model: Keras 3, functional and flat, see `lab.compress.keras.graph.rebuilt`.

    Raises:
        InvalidFile: tf_keras has no such layer, or it would answer otherwise.
    """
    graph, made = functional(model), dict[str, Any]()
    new_of = {
        id(t): tf_keras.Input(
            batch_shape=tuple(t.shape), dtype=t.dtype, name=t._keras_history.operation.name
        )
        for t in graph.inputs
    }
    inputs = list(new_of.values())
    for node in calls(model):
        given = [new_of[id(t)] for t in node.input_tensors]
        layer = node.operation
        if type(layer).__name__ in _LEFT_OUT:
            outputs = given
        else:
            outputs = _listed(_twin(layer, tf_keras, made)(given[0] if len(given) == 1 else given))
        new_of |= {id(old): new for old, new in zip(node.outputs, outputs, strict=True)}
    twin = tf_keras.Model(inputs, [new_of[id(t)] for t in graph.outputs], name="carried_over")
    for layer in model.layers:
        if layer.weights:
            made[layer.name].set_weights(layer.get_weights())
    return twin


def _listed(made: Any) -> list[Any]:
    return list(made) if isinstance(made, list | tuple) else [made]


def _twin(layer: Any, tf_keras: Any, made: dict[str, Any]) -> Any:
    if layer.name not in made:
        made[layer.name] = _made(layer, tf_keras)
    return made[layer.name]


def _made(layer: Any, tf_keras: Any) -> Any:
    import keras

    kind = type(layer).__name__
    known = getattr(tf_keras.layers, kind, None)
    if (
        known is None
        or not isinstance(layer, keras.layers.Layer)
        or type(layer) is not getattr(keras.layers, kind, None)
    ):
        raise InvalidFile(
            "tf_keras, which TFMOT works with, has no such layer",
            given=f"{layer.name} ({kind})",
            remedy=REMEDY,
        )
    return known(**_settings(layer, known))


def _settings(layer: Any, known: Any) -> dict[str, Any]:
    """What of a layer's configuration its older twin takes: not what only matters before there are
    weights.
    """
    takes = set(inspect.signature(known.__init__).parameters) | {"name"}
    config = {
        key: value
        for key, value in layer.get_config().items()
        if key != "dtype" and _is_plain(value)
    }
    if isinstance(layer.get_config().get("activation"), Mapping):
        raise InvalidFile(
            "An activation of the model's own cannot be carried over to tf_keras",
            given=layer.name,
            remedy=REMEDY,
        )
    return {key: value for key, value in config.items() if key in takes and value is not None}


def _is_plain(value: Any) -> bool:
    return (
        all(map(_is_plain, value)) if isinstance(value, list | tuple) else isinstance(value, _PLAIN)
    )
