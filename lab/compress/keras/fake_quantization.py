"""Copy of a Keras model for quantization-aware training: kernels lie on grids, activations are
rounded to 8 bits as an integer runtime stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lab.compress.keras.graph import calls, functional
from lab.compress.keras.grid import KINDS, KernelGrid, gridded, start
from lab.formats.feeding import fit_items
from lab.lazy import np
from lab.plugs import Array

BATCH = 256
MOMENTUM = 0.02
"""Share of a range that each training batch renews; it is small, so that an outlier in one batch
matters little.
"""
SAME = (
    "Flatten", "Reshape", "Permute", "RepeatVector", "Identity", "Dropout", "SpatialDropout1D",
    "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ZeroPadding1D",
    "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "MaxPooling1D", "MaxPooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D",
)  # fmt: skip
"""Layers that pass elements on unchanged."""
FUSING = (*KINDS, "Add")
"""Layers with which runtimes fuse a ReLU that follows: only the output of the ReLU is stored."""
Ranges = Mapping[int, tuple[float, float]]


@cache
def fake_class() -> Any:
    """Return the class of layers that round an activation."""
    import keras
    import tensorflow as tf

    class Fake(keras.layers.Layer):  # type: ignore[misc]
        """Layer with one scale and one zero point for a range that contains zero; gradients pass
        inside the range (Jacob et al. 2018, arXiv:1712.05877).
        """

        def __init__(self, low: float, high: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.span = (low, high)

        def build(self, shape: Any) -> None:
            self.range = self.add_weight(name="range", shape=(2,), trainable=False)
            self.range.assign(np.asarray(self.span, np.float32))

        def call(self, x: Any, training: bool = False) -> Any:
            """Return x on the grid of its range; in training, update the range first."""
            values = tf.cast(x, tf.float32)
            if training:
                self._follow(values)
            old_range = tf.cast(tf.convert_to_tensor(self.range), tf.float32)
            low, high = tf.minimum(old_range[0], 0.0), tf.maximum(old_range[1], 1e-9)
            return tf.cast(
                tf.quantization.fake_quant_with_min_max_vars(values, low, high), self.compute_dtype
            )

        def _follow(self, x: Any) -> None:
            seen = tf.stack([tf.reduce_min(x), tf.reduce_max(x)])
            old_range = tf.cast(tf.convert_to_tensor(self.range), tf.float32)
            self.range.assign(old_range + MOMENTUM * (seen - old_range))

    return Fake


def twin(model: Any, grids: Mapping[str, KernelGrid], ranges: Ranges) -> Any:
    """Return a new model whose kernels lie on grids and whose activations are rounded; it has the
    weights of the model.

    Args:
        model: functional and flat, see `lab.compress.keras.graph.rebuilt`.
        grids: layer -> grid of its kernel.
        ranges: see `activation_ranges`; empty rounds no activation.
    """
    import keras

    graph, copies = functional(model), dict[str, Any]()
    inputs = [
        keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t._keras_history.operation.name)
        for t in graph.inputs
    ]
    new_of = {
        id(old): _faked(old, new, ranges) for old, new in zip(graph.inputs, inputs, strict=True)
    }
    for node in calls(model):
        args, kwargs = node.arguments.fill_in(new_of)
        outputs = keras.tree.flatten(_layer(node.operation, grids, copies)(*args, **kwargs))
        new_of |= {
            id(old): _faked(old, new, ranges)
            for old, new in zip(node.outputs, outputs, strict=True)
        }
    result = keras.Model(_one(inputs), _one([new_of[id(t)] for t in graph.outputs]))
    _carry(model, copies)
    return result


def _one(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _faked(old: Any, new: Any, ranges: Ranges) -> Any:
    return fake_class()(*ranges[id(old)])(new) if id(old) in ranges else new


def _layer(operation: Any, grids: Mapping[str, KernelGrid], copies: dict[str, Any]) -> Any:
    """Return the copy of a layer: one, however often the layer is called."""
    name = operation.name
    if name not in copies:
        plain = type(operation).from_config
        copies[name] = (
            gridded(operation, grids[name]) if name in grids else plain(operation.get_config())
        )
    return copies[name]


def _carry(model: Any, copies: Mapping[str, Any]) -> None:
    for layer in model.layers:
        if hasattr(new := copies.get(layer.name), "grid"):
            start(new, layer)
        elif layer.weights and new is not None:
            new.set_weights(layer.get_weights())


def predictor_of(model: Any) -> Callable[[Array], Array]:
    """Return a function that computes the output of a model with one output, BATCH items at a
    time.
    """

    def predict(x: Array) -> Array:
        fitting = fit_items(x, tuple(model.inputs[0].shape))
        parts = [fitting[at : at + BATCH] for at in range(0, len(fitting), BATCH)]
        return np.concatenate(
            [np.asarray(model(part, training=False), np.float32) for part in parts]
        )

    return predict


def activation_ranges(model: Any, x: Array) -> Ranges:
    """Return the minimum and maximum, over calibration items, of each activation that an integer
    runtime stores.

    Args:
        model: functional and flat.
        x: items, shape (n, *item).

    Returns:
        id() of the tensor -> (low, high).
    """
    import keras

    stored = _stored(model)
    minima_and_maxima = keras.Model(_one(functional(model).inputs), stored)(
        fit_items(x, tuple(stored[0].shape)), training=False
    )
    values = [np.asarray(value) for value in keras.tree.flatten(minima_and_maxima)]
    return {id(t): (float(v.min()), float(v.max())) for t, v in zip(stored, values, strict=True)}


def _stored(model: Any) -> list[Any]:
    import keras

    nodes, graph = calls(model), functional(model)
    readers: dict[int, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
    tensors = list(graph.inputs)
    for node in nodes:
        if not isinstance(node.operation, tuple(getattr(keras.layers, kind) for kind in SAME)):
            tensors += [
                t for t in node.outputs if not _fused(node.operation, readers.get(id(t), []))
            ]
    return [t for t in tensors if "float" in str(t.dtype)]


def _fused(operation: Any, readers: list[Any]) -> bool:
    import keras

    fusing = isinstance(operation, tuple(getattr(keras.layers, kind) for kind in FUSING))
    plain = getattr(operation, "activation", None) in (None, keras.activations.linear)
    return fusing and plain and bool(readers) and all(map(_clips, readers))


def _clips(layer: Any) -> bool:
    """Return whether a layer is a ReLU, bounded or not, whose lower end is zero."""
    import keras

    if isinstance(layer, keras.layers.Activation):
        return layer.activation in (keras.activations.relu, keras.activations.relu6)
    return isinstance(layer, keras.layers.ReLU) and not layer.negative_slope and not layer.threshold
