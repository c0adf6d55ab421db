"""A LeNet for 8×8 digits, in Keras 3."""

from __future__ import annotations

from typing import Any

from lab.plugs import Training
from lab.types import InputSpec, ModelCard
from sample_models import _keras_recipe, _recipe
from sample_models._recipe import Plan

ID = "digits_lenet"
PLAN = Plan(epochs=30, batch=32, rate=2e-3, seed=1, weight_decay=0.01)
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
    provenance=(
        "Trained here on the data set's training split, in seconds: `python -m lab train"
        " digits_lenet`."
    ),
    description=(
        "Two convolutions and two dense layers; the outputs are logits. The smallest model of"
        " the lab: every technique runs on it in seconds. Its test images seem to be by other"
        " writers than its training images, which leaves room to lose accuracy."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """Return the untrained network: (batch, 8, 8, 1) float32 in 0..1 -> (batch, 10) logits."""
    keras = _keras_recipe.keras()
    layers = keras.layers
    image = keras.Input(CARD.input.shape, name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(image)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.3, name="dropout1")(x)
    x = layers.Dense(32, activation="relu", name="dense")(x)
    x = layers.Dropout(0.3, name="dropout2")(x)
    return keras.Model(image, layers.Dense(len(CARD.class_names), name="logits")(x), name=ID)


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    _keras_recipe.train(CARD, build, PLAN, training)
