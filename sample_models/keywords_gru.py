"""A convolution and a recurrent network over the frames of a spectrogram, in PyTorch.

Re-train it with `python -m lab train keywords_gru`.
"""

from __future__ import annotations

from typing import Any

from lab.datasets.keywords import DATASET
from lab.plugs import Training
from lab.types import InputSpec, ModelCard
from sample_models import _recipe

ID = "keywords_gru"
PLAN = _recipe.Plan(epochs=40, batch=128, rate=5e-3, weight_decay=0.02, smoothing=0.05)
FRAMES, COEFFICIENTS = 49, 10
_RECORD = _recipe.read_record(ID)

CARD = ModelCard(
    id=ID,
    title="GRU, spoken commands",
    task="classification",
    framework="PyTorch",
    format="torch_export",
    path=str(_recipe.weights_path(f"{ID}.pt2")),
    input=InputSpec(
        shape=(1, FRAMES, COEFFICIENTS), dtype="float32", layout="NCHW", data_layout="NHWC"
    ),
    dataset=DATASET.id,
    class_names=DATASET.class_names,
    licence="MIT",
    provenance=(
        "Trained here by sample_models/keywords_gru.py on the training set of the data set, in"
        " minutes."
    ),
    description=(
        "One convolution over nine frames makes 17 steps of the 49 frames; a gated recurrent unit"
        " of width 128 reads them one after another; the mean of its states and one dense layer"
        " give logits (as Arik et al., arXiv:1703.05390, in small). Written in matrix products and"
        " unrolled: torch.nn.GRU converts as well, but to ONNX's GRU operator, which onnxruntime's"
        " quantizers leave in float."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """Return the untrained network: (batch, 1, 49, 10) float32 -> (batch, 12) logits."""
    from sample_models._gru import GruClassifier

    return GruClassifier(coefficients=COEFFICIENTS, classes=len(CARD.class_names))


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _torch_recipe

    _torch_recipe.train(CARD, build, PLAN, training)
