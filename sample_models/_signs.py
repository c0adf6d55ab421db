"""Shared parts of the four networks for `signs`: the card except its texts, and the augmentation of
training images.
"""

from __future__ import annotations

from typing import Any

from lab.datasets.signs import DATASET
from lab.types import InputSpec, ModelCard
from sample_models import _recipe

SHIFT = 3
"""Largest shift of training images in pixels, in each direction."""


def card(model_id: str, title: str, description: str) -> ModelCard:
    """Return the card of a PyTorch network for images (batch, 3, 32, 32) in 0..1."""
    record = _recipe.read_record(model_id)
    return ModelCard(
        id=model_id,
        title=title,
        task=DATASET.task,
        framework="PyTorch",
        format="torch_export",
        path=str(_recipe.weights_path(f"{model_id}.pt2")),
        input=InputSpec(shape=(3, 32, 32), dtype="float32", layout="NCHW", data_layout="NHWC"),
        dataset=DATASET.id,
        class_names=DATASET.class_names,
        licence="MIT",
        provenance=(
            "Trained here on the data set's training split, in minutes: `python -m lab train"
            f" {model_id}`."
        ),
        description=description,
        parameters=record.get("parameters"),
        macs=record.get("macs"),
        baseline=_recipe.baseline(record),
    )


def shifted(x: Any) -> Any:
    """Shift each image by a random number of pixels and extend its edge; images are never mirrored,
    which would turn left into right.

    Args:
        x: tensor of shape (batch, 3, h, w).
    """
    import torch

    n, _, h, w = x.shape
    padded = torch.nn.functional.pad(x, (SHIFT,) * 4, mode="replicate").permute(0, 2, 3, 1)
    rows = torch.arange(h) + torch.randint(0, 2 * SHIFT + 1, (n, 1))
    columns = torch.arange(w) + torch.randint(0, 2 * SHIFT + 1, (n, 1))
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2
    )
