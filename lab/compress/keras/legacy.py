"""Conversion of a Keras 3 model to tf_keras (Keras 2), layer by layer: TensorFlow Model
Optimization only supports that.
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
"""Layers without effect in inference: without them a training is reproducible, also after an
interruption.
"""


def legacy_keras() -> tuple[Any, Any]:
    """Return the modules tf_keras and tensorflow_model_optimization, whichever Keras is loaded.

    TFMOT sets an environment variable on import that would turn TensorFlow's own Keras into
    tf_keras in processes started later; TFMOT itself uses tf_keras in any case.
    """
    name = "TF_USE_LEGACY_KERAS"
    before = os.environ.get(name)
    tensorflow()
    import tensorflow_model_optimization
    import tf_keras

    os.environ.pop(name, None) if before is None else os.environ.__setitem__(name, before)
    return tf_keras, tensorflow_model_optimization


def carried_over(model: Any, tf_keras: Any) -> Any:
    """Return a tf_keras model of the same layers, names and weights.

    Args:
        model: Keras 3, functional and flat, see `lab.compress.keras.graph.rebuilt`.

    Raises:
        InvalidFile: tf_keras has no such layer, or its output would differ.
    """
    graph, layers = functional(model), dict[str, Any]()
    new_of = {
        id(t): tf_keras.Input(
            batch_shape=tuple(t.shape), dtype=t.dtype, name=t._keras_history.operation.name
        )
        for t in graph.inputs
    }
    inputs = list(new_of.values())
    for node in calls(model):
        node_inputs = [new_of[id(t)] for t in node.input_tensors]
        layer = node.operation
        if type(layer).__name__ in _LEFT_OUT:
            outputs = node_inputs
        else:
            outputs = _listed(
                _twin(layer, tf_keras, layers)(
                    node_inputs[0] if len(node_inputs) == 1 else node_inputs
                )
            )
        new_of |= {id(old): new for old, new in zip(node.outputs, outputs, strict=True)}
    twin = tf_keras.Model(inputs, [new_of[id(t)] for t in graph.outputs], name="carried_over")
    for layer in model.layers:
        if layer.weights:
            layers[layer.name].set_weights(layer.get_weights())
    return twin


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _twin(layer: Any, tf_keras: Any, layers: dict[str, Any]) -> Any:
    if layer.name not in layers:
        layers[layer.name] = _made(layer, tf_keras)
    return layers[layer.name]


def _made(layer: Any, tf_keras: Any) -> Any:
    import keras

    kind = type(layer).__name__
    layer_class = getattr(tf_keras.layers, kind, None)
    if (
        layer_class is None
        or not isinstance(layer, keras.layers.Layer)
        or type(layer) is not getattr(keras.layers, kind, None)
    ):
        raise InvalidFile(
            "tf_keras, which TFMOT works with, has no such layer",
            given=f"{layer.name} ({kind})",
            remedy=REMEDY,
        )
    return layer_class(**_settings(layer, layer_class))


def _settings(layer: Any, layer_class: Any) -> dict[str, Any]:
    """Return the settings that the tf_keras layer accepts, without those that only matter before
    there are weights.
    """
    takes = set(inspect.signature(layer_class.__init__).parameters) | {"name"}
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
