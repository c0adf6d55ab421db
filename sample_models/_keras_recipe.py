"""Training of a Keras 3 model on TensorFlow from a plan, and evaluation of the saved model."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

from lab.lazy import np
from lab.plugs import Array, Training
from lab.types import ModelCard
from sample_models import _recipe
from sample_models._recipe import Plan, Trained

BATCH = 256


def keras() -> Any:
    """Return Keras on TensorFlow, without TensorFlow's start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras as package

    return package


def train(
    card: ModelCard, build: Callable[[], Any], plan: Plan, training: Training, **facts: Any
) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    started = perf_counter()
    dataset, x, y = _recipe.training_data(card)
    model = _fitted(build, x, y, plan, training)
    file = training.folder / f"{card.id}{_recipe.SUFFIX[card.format]}"
    _save(build, model, file)
    trained = Trained(
        file,
        _saved_outputs(file),
        model.count_params(),
        sum(_macs(layer) for layer in model.layers),
    )
    _recipe.write_record(
        card, plan, training, trained, started, ("keras", "tensorflow", *dataset.requires), **facts
    )


def _fitted(build: Callable[[], Any], x: Array, y: Array, plan: Plan, training: Training) -> Any:
    package, epochs = keras(), training.epochs or plan.epochs
    package.utils.set_random_seed(plan.seed if training.seed is None else training.seed)
    package.mixed_precision.set_dtype_policy("mixed_bfloat16" if training.bf16 else "float32")
    try:
        model = build()
        model.compile(_optimizer(plan, epochs * -(-len(x) // plan.batch)), _loss(plan))
        model.fit(
            _batches(x, x if plan.restore else y, plan),
            epochs=epochs,
            verbose=0,
            callbacks=[_reporter(training, epochs)],
        )
    finally:
        package.mixed_precision.set_dtype_policy("float32")
    return model


def _optimizer(plan: Plan, steps: int) -> Any:
    """Return AdamW whose rate rises over the first 15 % of the steps, then falls to zero along half
    a cosine.
    """
    optimizers = keras().optimizers
    rate = optimizers.schedules.CosineDecay(
        0.0, int(0.85 * steps), warmup_target=plan.rate, warmup_steps=int(0.15 * steps)
    )
    chosen = optimizers.AdamW(rate, weight_decay=plan.weight_decay, global_clipnorm=1.0)
    chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return chosen


def _loss(plan: Plan) -> Any:
    if plan.restore:
        return keras().losses.MeanSquaredError()
    if not plan.smoothing:
        return keras().losses.SparseCategoricalCrossentropy(from_logits=True)

    def smoothed(labels: Any, logits: Any) -> Any:
        ops = keras().ops
        hot = ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
        target = hot * (1 - plan.smoothing) + plan.smoothing / logits.shape[-1]
        return keras().losses.categorical_crossentropy(target, logits, from_logits=True)

    return smoothed


def _batches(x: Array, target: Array, plan: Plan) -> Any:
    """Return batches that are shuffled again each epoch, from the seed set before."""
    import tensorflow as tf

    data = (
        tf.data.Dataset.from_tensor_slices((x, target))
        .shuffle(len(x), reshuffle_each_iteration=True)
        .batch(plan.batch)
    )
    return data if plan.augment is None else data.map(lambda a, b: (plan.augment(a), b))  # type: ignore[misc]


def _reporter(training: Training, epochs: int) -> Any:
    def end(epoch: int, logs: Any) -> None:
        training.progress(epoch + 1, epochs, f"loss {logs['loss']:.3f}")

    return keras().callbacks.LambdaCallback(on_epoch_end=end)


def _save(build: Callable[[], Any], model: Any, file: Path) -> None:
    """Write the float32 weights without the optimizer's state, which would make the file three
    times as large.
    """
    plain = build()
    plain.set_weights(model.get_weights())
    file.parent.mkdir(parents=True, exist_ok=True)
    plain.save(file)


def _saved_outputs(file: Path) -> Callable[[Array], Array]:
    """Return a function that computes the outputs of the saved model."""
    model = keras().models.load_model(file, compile=False)

    def answer(x: Array) -> Array:
        parts = [
            np.asarray(model(x[start : start + BATCH], training=False))
            for start in range(0, len(x), BATCH)
        ]
        return np.concatenate(parts)

    return answer


def _macs(layer: Any) -> int:
    """Return the multiply-accumulates of one item: each kernel entry is used once at every output
    position.
    """
    if not hasattr(layer, "kernel"):
        return 0
    places = int(prod(layer.output.shape[1:-1]))
    return int(prod(layer.kernel.shape) * places)
