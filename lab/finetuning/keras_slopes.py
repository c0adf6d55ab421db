"""Derivatives of a Keras model's loss by its weights, over training items."""

from __future__ import annotations

from typing import Any

from lab.finetuning.keras_loop import own_loss
from lab.finetuning.loop import gives_shares
from lab.lazy import np
from lab.plugs import Array, TrainingSet

ITEMS, BATCH = 512, 32


def slopes(model: Any, data: TrainingSet, seed: int = 0) -> dict[str, list[Array]]:
    """Return layer -> magnitude of the loss's derivative by each of its weights, in the order of
    `get_weights()`; zeros where there is none.

    It is the mean over batches: over all items at once, the derivatives of a trained model cancel
    out.

    Args:
        model: functional; it runs in inference mode.
        data: training data, of which 512 items are used, or all.
        seed: seed that draws them.
    """
    rows = np.random.default_rng(seed).permutation(len(data.x))[:ITEMS]
    batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    variables = [variable for layer in model.layers for variable in layer.weights]
    totals = [np.zeros(variable.shape) for variable in variables]
    for batch in batches:
        for total, slope in zip(totals, _slopes(model, variables, data, batch), strict=True):
            total += np.abs(slope) * len(batch) / len(rows)
    remaining = iter(totals)
    return {layer.name: [next(remaining) for _ in layer.weights] for layer in model.layers}


def _slopes(model: Any, variables: list[Any], data: TrainingSet, batch: Array) -> list[Array]:
    import tensorflow as tf

    x, y = tf.convert_to_tensor(data.x[batch]), data.y[batch]
    watched = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([one for one in watched if one.dtype.is_floating])
        outputs = tf.cast(model(x, training=False), tf.float32)
        loss = own_loss(
            outputs, x, y, data, data.learns == "classes" and gives_shares(outputs.numpy())
        )
    gradients = tape.gradient(loss, watched, unconnected_gradients="zero")
    return [np.asarray(tf.convert_to_tensor(slope)) for slope in gradients]
