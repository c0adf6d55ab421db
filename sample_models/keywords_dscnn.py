"""MLPerf Tiny's keyword-spotting network in Keras: depthwise-separable convolutions over a
spectrogram.

Re-train it with `python -m lab train keywords_dscnn`.
"""

from __future__ import annotations

from typing import Any

from lab.datasets.keywords import DATASET
from lab.plugs import Training
from lab.types import InputSpec, ModelCard
from sample_models import _keras_recipe, _recipe

ID = "keywords_dscnn"
PLAN = _recipe.Plan(epochs=30, batch=128, rate=4e-3, weight_decay=0.02, smoothing=0.05)
WIDTH, BLOCKS = 64, 4
_RECORD = _recipe.read_record(ID)

CARD = ModelCard(
    id=ID,
    title="DS-CNN, spoken commands",
    task="classification",
    framework="Keras 3",
    format="keras",
    path=str(_recipe.weights_path(f"{ID}.keras")),
    input=InputSpec(shape=(49, 10, 1), dtype="float32", layout="NHWC", data_layout="NHWC"),
    dataset=DATASET.id,
    class_names=DATASET.class_names,
    licence="MIT",
    provenance=(
        "Trained here by sample_models/keywords_dscnn.py on the training set of the data set, in"
        " minutes."
    ),
    description=(
        "One convolution of 10 frames by 4 coefficients, then four pairs of a depthwise 3×3 and a"
        " pointwise convolution, a mean over time and one dense layer; gives logits. The"
        " architecture is the keyword-spotting reference of MLPerf Tiny"
        " (github.com/mlcommons/tiny), after Zhang et al., arXiv:1711.07128."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """Return the untrained network: (batch, 49, 10, 1) float32 -> (batch, 12) logits."""
    keras = _keras_recipe.keras()
    layers = keras.layers
    features = keras.Input(CARD.input.shape, name="features")
    x = layers.Conv2D(WIDTH, (10, 4), strides=2, padding="same", use_bias=False, name="conv")(
        features
    )
    x = layers.Dropout(0.2, name="dropout1")(_activated(x, "conv"))
    for number in range(1, BLOCKS + 1):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"depthwise{number}")(x)
        x = _activated(x, f"depthwise{number}")
        x = layers.Conv2D(WIDTH, 1, use_bias=False, name=f"pointwise{number}")(x)
        x = _activated(x, f"pointwise{number}")
    x = layers.Dropout(0.4, name="dropout2")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(features, layers.Dense(len(CARD.class_names), name="logits")(x), name=ID)


def _activated(x: Any, name: str) -> Any:
    layers = _keras_recipe.keras().layers
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    _keras_recipe.train(CARD, build, PLAN, training)
