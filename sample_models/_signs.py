"""What the four networks for `signs` share: all of the card but the words, and how training images
are varied.
"""

from __future__ import annotations

from typing import Any

from lab.datasets.signs import DATASET
from lab.types import InputSpec, ModelCard
from sample_models import _recipe

SHIFT = 3
"""Pixels by which training images are moved, at most, each way."""


def card(model_id: str, title: str, description: str) -> ModelCard:
    """The card of a PyTorch network that takes images (batch, 3, 32, 32) in 0..1."""
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
    """Each image moved by its own few pixels, its edge drawn out; never mirrored, which would make
    left of right.

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
