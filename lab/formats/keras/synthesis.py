"""Calibration items from a Keras model's batch normalisations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.formats.keras.files import load_keras, tensorflow
from lab.formats.synthesis import RATE, STEPS, no_statistics, noise
from lab.lazy import np
from lab.plugs import Array


def synthesise(path: Path, n: int, rng: Any, low: float, high: float) -> Array:
    """Return n inputs that the model's batch normalisations find usual, see
    `lab.formats.synthesis`.
    """
    tf, model = tensorflow(), load_keras(path)
    import keras

    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        raise no_statistics("none")
    inside = keras.Model(model.inputs, [layer.input for layer in norms])
    x = tf.Variable(noise((n, *model.inputs[0].shape[1:]), rng, low, high))
    optimizer = keras.optimizers.Adam(RATE * (high - low) / 2)

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        with tf.GradientTape() as tape:
            seen = inside(x, training=False)
            loss = sum(
                _distance(tf, s, layer) for s, layer in zip(_listed(seen), norms, strict=True)
            )
        gradient = tape.gradient(loss, x)
        optimizer.apply_gradients([(gradient, x)])
        x.assign(tf.clip_by_value(x, low, high))

    optimizer.build([x])
    for _ in range(STEPS):
        step()
    return np.asarray(x.numpy())


def _listed(seen: Any) -> list[Any]:
    return list(seen) if isinstance(seen, list | tuple) else [seen]


def _distance(tf: Any, given: Any, norm: Any) -> Any:
    mean, variance = tf.nn.moments(given, list(range(len(given.shape) - 1)))
    return tf.reduce_mean((mean - norm.moving_mean) ** 2) + tf.reduce_mean(
        (tf.sqrt(variance + 1e-12) - tf.sqrt(norm.moving_variance)) ** 2
    )
