"""A small Transformer that classifies the activity of a phone's carrier, in PyTorch.

Re-train it with `python -m lab train motion_transformer`.
"""

from __future__ import annotations

from typing import Any

from lab.datasets.motion import DATASET
from lab.plugs import Training
from lab.types import InputSpec, ModelCard
from sample_models import _recipe
from sample_models._recipe import Plan

ID = "motion_transformer"
SAMPLES, AXES = 128, 6
TURN_RAD = 0.3


def _turned(windows: Any) -> Any:
    """Rotate each phone slightly in its pocket, (batch, samples, 6): both sensors alike, about
    three random axes.
    """
    import torch

    x, y, z = torch.randn(3, len(windows)) * TURN_RAD
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 1, 3, 3)
    return (windows.unflatten(2, (2, 3)) @ torch.matrix_exp(skew)).flatten(2)


PLAN = Plan(epochs=20, batch=128, rate=2e-3, smoothing=0.1, augment=_turned)
_RECORD = _recipe.read_record(ID)

CARD = ModelCard(
    id=ID,
    title="Patch Transformer, movements",
    task=DATASET.task,
    framework="PyTorch",
    format="torch_export",
    path=str(_recipe.weights_path(f"{ID}.pt2")),
    input=InputSpec(shape=(SAMPLES, AXES), dtype="float32", layout="NTC", data_layout="NTC"),
    dataset=DATASET.id,
    class_names=DATASET.class_names,
    licence="MIT",
    provenance=(
        "Trained here on the data set's training split, in minutes: `python -m lab train"
        " motion_transformer`."
    ),
    description=(
        "One convolution turns 2.56 s of movement into 16 tokens, three encoder layers compare"
        " them, and their mean is classified; the outputs are logits. Walking and the two kinds"
        " of stairs are its hard cases: no person of the test set is in the training set."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """Return the untrained network: (batch, 128, 6) float32 in g and rad/s -> (batch, 8) logits."""
    from sample_models._motion_transformer import MotionTransformer

    return MotionTransformer(samples=SAMPLES, axes=AXES, classes=len(CARD.class_names))


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _torch_recipe

    _torch_recipe.train(CARD, build, PLAN, training)
