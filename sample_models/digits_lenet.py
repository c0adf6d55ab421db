"""A LeNet for 8×8 digits, in Keras 3. Re-train it with `python -m sample_models.digits_lenet`."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from time import perf_counter
from typing import Any

from lab.types import InputSpec, ModelCard
from sample_models import _recipe

ID = "digits_lenet"
SEED, EPOCHS, BATCH = 1, 30, 32
FILE = _recipe.weights_path(f"{ID}.keras")
_RECORD = _recipe.read_record(ID)

CARD = ModelCard(
    id=ID,
    title="LeNet, handwritten digits",
    task="classification",
    framework="Keras 3",
    format="keras",
    path=str(FILE),
    input=InputSpec(shape=(8, 8, 1), dtype="float32", layout="NHWC", data_layout="NHWC"),
    dataset="digits",
    class_names=tuple("0123456789"),
    licence="MIT",
    provenance="Trained here by sample_models/digits_lenet.py on the training split of the data set, in seconds.",
    description=(
        "Two convolutions and two dense layers; gives logits. The smallest model of the lab: every technique runs on "
        "it in seconds. Its test images are, by all appearance, by other writers, which leaves room to lose accuracy."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def keras() -> Any:
    """Keras on TensorFlow, without TensorFlow's start-up lines."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras as package

    return package


def build() -> Any:
    """The untrained network: (batch, 8, 8, 1) float32 in 0..1 -> (batch, 10) logits."""
    layers = keras().layers
    image = keras().Input(CARD.input.shape, name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1")(image)
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.5, name="dropout1")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout2")(x)
    return keras().Model(image, layers.Dense(len(CARD.class_names), name="logits")(x), name=ID)


def train(progress: Callable[[str], None] = print) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from lab.datasets.digits import DATASET

    started, splits = perf_counter(), DATASET.load()
    keras().utils.set_random_seed(SEED)
    model = build()
    model.compile(keras().optimizers.Adam(), keras().losses.SparseCategoricalCrossentropy(from_logits=True))
    log = keras().callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress(f"epoch {epoch + 1}: {logs}"))
    model.fit(splits.x_train, splits.y_train, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[log])
    _save(model)
    _write_record(model, splits, perf_counter() - started)
    progress(f"test accuracy {_recipe.baseline(_recipe.read_record(ID))}")


def _save(model: Any) -> None:
    """Write the weights without the optimizer's state, which would make the file three times as large."""
    plain = build()
    plain.set_weights(model.get_weights())
    FILE.parent.mkdir(exist_ok=True)
    plain.save(FILE)


def _write_record(model: Any, splits: Any, seconds: float) -> None:
    logits = model(splits.x_test, training=False).numpy()
    correct = int((logits.argmax(axis=1) == splits.y_test).sum())
    _recipe.write_record(
        ID,
        packages=("keras", "tensorflow", "scikit-learn", "numpy"),
        parameters=model.count_params(),
        macs=sum(_macs(layer) for layer in model.layers),
        baseline=[_recipe.accuracy(correct, len(splits.y_test))],
        dataset_digest=splits.digest(),
        seconds=round(seconds, 1),
    )


def _macs(layer: Any) -> int:
    """Multiply-accumulates of one item: each kernel entry is used once at every place of the output."""
    if not hasattr(layer, "kernel"):
        return 0
    places = int(prod(layer.output.shape[1:-1]))
    return int(prod(layer.kernel.shape) * places)


if __name__ == "__main__":
    train()
