"""Small Keras networks that have every coupling of channels there is, with weights of a trained
one's size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _settled(model: Any) -> Any:
    """Weights, scales and statistics at random; nothing is zero or one any more."""
    rng = np.random.default_rng(7)
    for layer in model.layers:
        spread = type(layer).__name__ == "BatchNormalization"
        layer.set_weights(
            [
                rng.uniform(0.5, 1.5, w.shape) if spread else rng.normal(0, 0.4, w.shape)
                for w in layer.get_weights()
            ]
        )
    return model


def mixed(keras: Any) -> Any:
    """Depthwise, residual, concatenation, flattened into a dense layer: (8, 8, 3) -> (5,)."""
    k = keras.layers
    x = keras.Input((8, 8, 3))
    a = k.ReLU()(k.BatchNormalization(name="na")(k.Conv2D(12, 3, padding="same", name="a")(x)))
    d = k.ReLU()(k.BatchNormalization(name="nd")(k.DepthwiseConv2D(3, padding="same", name="d")(a)))
    b = k.Conv2D(12, 1, name="b")(d)
    r = k.ReLU()(k.Add()([a, b]))
    c = k.Conv2D(8, 3, padding="same", activation="relu", name="c")(r)
    joined = k.Concatenate()([r, c])
    e = k.MaxPooling2D()(k.Conv2D(8, 3, padding="same", activation="relu", name="e")(joined))
    f = k.Dense(12, activation="relu", name="f")(k.Flatten()(e))
    return _settled(keras.Model(x, k.Dense(5, name="g")(f)))


def excited(keras: Any) -> Any:
    """Squeeze-and-excitation through a reshape, a channel multiplier, PReLU, a separable and a
    transposed convolution.
    """
    k = keras.layers
    x = keras.Input((8, 8, 3))
    a = k.PReLU(shared_axes=(1, 2))(k.Conv2D(8, 3, name="a")(k.ZeroPadding2D()(x)))
    d = k.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", padding="same", name="d")(a)
    s = k.Dense(4, activation="swish", name="s")(
        k.Reshape((1, 1, 16))(k.GlobalAveragePooling2D()(d))
    )
    gated = k.Multiply()([d, k.Dense(16, activation="sigmoid", name="t")(s)])
    p = k.SeparableConv2D(12, 3, padding="same", activation="tanh", depth_multiplier=2, name="p")(
        gated
    )
    u = k.Conv2DTranspose(6, 2, strides=2, activation="relu", name="u")(p)
    spatial = k.Conv2D(1, 1, activation="sigmoid", name="m")(u)
    return _settled(
        keras.Model(x, k.Dense(5, name="g")(k.GlobalMaxPooling2D()(k.Multiply()([u, spatial]))))
    )


def grouped(keras: Any) -> Any:
    """Grouped convolutions in a residual block, maximum and average of branches, operations that
    are no layers.
    """
    k = keras.layers
    x = keras.Input((8, 8, 3))
    a = k.Conv2D(12, 3, padding="same", activation="relu", name="a")(x)
    b = k.Conv2D(12, 3, padding="same", groups=3, name="b")(a)
    m = k.Maximum()([a, k.BatchNormalization(name="nb")(b)])
    c = k.Conv2D(16, 3, padding="same", groups=2, activation="relu", name="c")(m)
    both = k.Average()([c, k.Conv2D(16, 1, name="e")(m)]) - 0.25
    mean = keras.ops.mean(keras.ops.relu(both) * 2.0, axis=(1, 2))
    return _settled(keras.Model(x, [k.Dense(5, name="g")(mean), k.Dense(2, name="h")(mean)]))


def sequence(keras: Any) -> Any:
    """Along time: embedding, one-dimensional convolutions, a layer normalisation, attention and a
    recurrent layer that spare.
    """
    k = keras.layers
    x = keras.Input((10,), dtype="int32")
    v = k.Conv1D(12, 3, padding="same", activation="relu", name="a")(
        k.Embedding(20, 8, name="v")(x)
    )
    twice = k.Dense(9, activation="gelu", name="twice")
    w = k.Add()([twice(v), twice(k.Conv1D(12, 1, name="b")(v))])
    n = k.LayerNormalization(name="n")(k.Conv1D(8, 1, name="c")(w))
    h = k.Dense(8, name="down")(k.Dense(16, activation="gelu", name="up")(n))
    t = k.MultiHeadAttention(2, 4, name="t")(k.Add()([n, h]), n)
    q = k.GRU(6, name="q")(k.Conv1D(8, 1, name="e")(t))
    return _settled(
        keras.Model(
            x,
            k.Dense(5, activation="softmax", name="g")(
                k.Dense(12, activation="softmax", name="o")(q)
            ),
        )
    )


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "mixed": mixed,
    "excited": excited,
    "grouped": grouped,
    "sequence": sequence,
}


def items(model: Any, n: int = 8) -> Any:
    """Inputs at random, whole numbers below 20 where the model takes whole numbers."""
    rng, shape = np.random.default_rng(0), (n, *model.inputs[0].shape[1:])
    return (
        rng.integers(0, 20, shape)
        if "int" in model.inputs[0].dtype
        else rng.normal(size=shape).astype(np.float32)
    )
