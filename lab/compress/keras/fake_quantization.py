"""A Keras model's twin for quantization-aware training: kernels on grids, activations rounded to 8
bits as an integer runtime stores them.
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
"""How much of a range each training batch renews: what one odd batch holds matters little."""
SAME = (
    "Flatten", "Reshape", "Permute", "RepeatVector", "Identity", "Dropout", "SpatialDropout1D",
    "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ZeroPadding1D",
    "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "MaxPooling1D", "MaxPooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D",
)  # fmt: skip
"""Layers that hand on numbers as they are."""
FUSING = (*KINDS, "Add")
"""Layers with which runtimes compute a ReLU that follows: only what comes out of it is stored."""
Ranges = Mapping[int, tuple[float, float]]


@cache
def fake_class() -> Any:
    """The class of layers that round an activation."""
    import keras
    import tensorflow as tf

    class Fake(keras.layers.Layer):  # type: ignore[misc]
        """One scale and one zero point, the range containing zero; gradients pass inside the range
        (Jacob et al. 2018,
        arXiv:1712.05877).
        """

        def __init__(self, low: float, high: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.span = (low, high)

        def build(self, shape: Any) -> None:
            self.range = self.add_weight(name="range", shape=(2,), trainable=False)
            self.range.assign(np.asarray(self.span, np.float32))

        def call(self, x: Any, training: bool = False) -> Any:
            """x on the grid of its range; while training, the range follows first."""
            values = tf.cast(x, tf.float32)
            if training:
                self._follow(values)
            known = tf.cast(tf.convert_to_tensor(self.range), tf.float32)
            low, high = tf.minimum(known[0], 0.0), tf.maximum(known[1], 1e-9)
            return tf.cast(
                tf.quantization.fake_quant_with_min_max_vars(values, low, high), self.compute_dtype
            )

        def _follow(self, x: Any) -> None:
            seen = tf.stack([tf.reduce_min(x), tf.reduce_max(x)])
            known = tf.cast(tf.convert_to_tensor(self.range), tf.float32)
            self.range.assign(known + MOMENTUM * (seen - known))

    return Fake


def twin(model: Any, grids: Mapping[str, KernelGrid], ranges: Ranges) -> Any:
    """A new model whose kernels are on grids and whose activations are rounded; weights are carried
    over.

    Args:
        model: functional and flat, see `lab.compress.keras.graph.rebuilt`.
        grids: layer -> grid of its kernel.
        ranges: see `activation_ranges`; empty rounds no activation.
    """
    import keras

    graph, made = functional(model), dict[str, Any]()
    inputs = [
        keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t._keras_history.operation.name)
        for t in graph.inputs
    ]
    new_of = {
        id(old): _faked(old, new, ranges) for old, new in zip(graph.inputs, inputs, strict=True)
    }
    for node in calls(model):
        args, kwargs = node.arguments.fill_in(new_of)
        outputs = keras.tree.flatten(_layer(node.operation, grids, made)(*args, **kwargs))
        new_of |= {
            id(old): _faked(old, new, ranges)
            for old, new in zip(node.outputs, outputs, strict=True)
        }
    result = keras.Model(_one(inputs), _one([new_of[id(t)] for t in graph.outputs]))
    _carry(model, made)
    return result


def _one(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _faked(old: Any, new: Any, ranges: Ranges) -> Any:
    return fake_class()(*ranges[id(old)])(new) if id(old) in ranges else new


def _layer(operation: Any, grids: Mapping[str, KernelGrid], made: dict[str, Any]) -> Any:
    """The twin of a layer: one, however often it is called."""
    name = operation.name
    if name not in made:
        plain = type(operation).from_config
        made[name] = (
            gridded(operation, grids[name]) if name in grids else plain(operation.get_config())
        )
    return made[name]


def _carry(model: Any, made: Mapping[str, Any]) -> None:
    for layer in model.layers:
        if hasattr(new := made.get(layer.name), "grid"):
            start(new, layer)
        elif layer.weights and new is not None:
            new.set_weights(layer.get_weights())


def answer_of(model: Any) -> Callable[[Array], Array]:
    """How a model with one output answers, BATCH items at a time."""

    def answer(x: Array) -> Array:
        fitting = fit_items(x, tuple(model.inputs[0].shape))
        parts = [fitting[at : at + BATCH] for at in range(0, len(fitting), BATCH)]
        return np.concatenate(
            [np.asarray(model(part, training=False), np.float32) for part in parts]
        )

    return answer


def activation_ranges(model: Any, x: Array) -> Ranges:
    """Smallest and largest value of every activation that an integer runtime stores, over
    calibration items.

    Args:
        model: functional and flat.
        x: items, shape (n, *item).

    Returns:
        id of the tensor -> (low, high).
    """
    import keras

    stored = _stored(model)
    made = keras.Model(_one(functional(model).inputs), stored)(
        fit_items(x, tuple(stored[0].shape)), training=False
    )
    values = [np.asarray(value) for value in keras.tree.flatten(made)]
    return {id(t): (float(v.min()), float(v.max())) for t, v in zip(stored, values, strict=True)}


def _stored(model: Any) -> list[Any]:
    import keras

    nodes, graph = calls(model), functional(model)
    readers: dict[int, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
    found = list(graph.inputs)
    for node in nodes:
        if not isinstance(node.operation, tuple(getattr(keras.layers, kind) for kind in SAME)):
            found += [t for t in node.outputs if not _fused(node.operation, readers.get(id(t), []))]
    return [t for t in found if "float" in str(t.dtype)]


def _fused(operation: Any, readers: list[Any]) -> bool:
    import keras

    fusing = isinstance(operation, tuple(getattr(keras.layers, kind) for kind in FUSING))
    plain = getattr(operation, "activation", None) in (None, keras.activations.linear)
    return fusing and plain and bool(readers) and all(map(_clips, readers))


def _clips(layer: Any) -> bool:
    """A ReLU, bounded or not, whose lower end is zero."""
    import keras

    if isinstance(layer, keras.layers.Activation):
        return layer.activation in (keras.activations.relu, keras.activations.relu6)
    return isinstance(layer, keras.layers.ReLU) and not layer.negative_slope and not layer.threshold
