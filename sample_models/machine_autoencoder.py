"""The dense autoencoder of MLPerf Tiny for machine sounds, in Keras 3.

Re-train it with `python -m lab train machine_autoencoder`.
"""

from __future__ import annotations

from typing import Any

from lab.datasets.machine import DATASET, FRAMES, MELS
from lab.plugs import Training
from lab.types import InputSpec, ModelCard
from sample_models import _recipe
from sample_models._recipe import Plan

ID = "machine_autoencoder"
WIDTHS = (128, 128, 128, 128, 8, 128, 128, 128, 128)
PLAN = Plan(epochs=40, batch=128, rate=2e-3, weight_decay=0.0, restore=True)
_RECORD = _recipe.read_record(ID)

CARD = ModelCard(
    id=ID,
    title="Dense autoencoder, machine sounds",
    task=DATASET.task,
    framework="Keras 3",
    format="keras",
    path=str(_recipe.weights_path(f"{ID}.keras")),
    input=InputSpec(shape=(FRAMES * MELS,), dtype="float32", layout="N", data_layout="N"),
    dataset=DATASET.id,
    class_names=DATASET.class_names,
    licence="MIT",
    provenance=(
        "Trained here on the data set's training split, in a minute: `python -m lab train"
        " machine_autoencoder`."
    ),
    description=(
        "Nine hidden dense layers, the middle one of width 8, each with batch normalisation and"
        " ReLU: the network of MLPerf Tiny's anomaly detection (Banbury et al. 2021,"
        " arXiv:2106.07597). It is trained to reconstruct healthy sounds; the mean squared error"
        " of an item is its anomaly score, and the AUC measures how well scores separate faulty"
        " machines from healthy ones."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """Return the untrained network: (batch, 640) float32 of about unit variance -> its
    reconstruction, the same shape.
    """
    from sample_models._keras_recipe import keras

    layers = keras().layers
    levels = x = keras().Input(CARD.input.shape, name="levels")
    for number, width in enumerate(WIDTHS, 1):
        x = layers.Dense(width, name=f"dense{number}")(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    return keras().Model(
        levels, layers.Dense(CARD.input.shape[0], name="reconstruction")(x), name=ID
    )


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _keras_recipe

    _keras_recipe.train(CARD, build, PLAN, training)
