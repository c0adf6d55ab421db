"""Inputs made from batch normalisations alone have the statistics that these remember."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.engine.distilling import MOST, distilled
from lab.errors import InvalidFile

pytestmark = pytest.mark.slow
MEAN, DEVIATION = 0.4, 0.1


def torch_model(path: Path, *layers: str) -> Path:
    import torch

    made = {
        "norm": torch.nn.BatchNorm2d(2),
        "conv": torch.nn.Conv2d(2, 2, 3, padding=1),
        "flat": torch.nn.Flatten(),
    }
    made["norm"].running_mean.fill_(MEAN)
    made["norm"].running_var.fill_(DEVIATION**2)
    model = torch.nn.Sequential(*(made[name] for name in layers)).eval()
    axes = ({0: torch.export.Dim("batch", min=1)},)
    torch.export.save(
        torch.export.export(model, (torch.zeros(2, 2, 6, 6),), dynamic_shapes=axes), path
    )
    return path


def test_items_of_a_torch_model(tmp_path: Path) -> None:
    """One normalisation of the input itself: what it remembers is what the items must look like."""
    source = torch_model(tmp_path / "m.pt2", "norm", "flat")
    check(distilled(source, "torch_export", 20, 0, -1.0, 1.0), (20, 2, 6, 6))


def test_items_of_a_keras_model(tmp_path: Path) -> None:
    from lab.formats.keras.files import tensorflow

    tensorflow()
    import keras

    model = keras.Sequential(
        [keras.Input((6, 6, 2)), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    )
    model.layers[0].set_weights(
        [np.ones(2), np.zeros(2), np.full(2, MEAN), np.full(2, DEVIATION**2)]
    )
    model.save(tmp_path / "m.keras")
    check(distilled(tmp_path / "m.keras", "keras", 40, 0, -1.0, 1.0), (MOST, 6, 6, 2))


def check(items: np.ndarray, shape: tuple[int, ...]) -> None:
    assert items.shape == shape
    assert items.dtype == np.float32
    assert np.abs(items).max() <= 1
    assert abs(items.mean() - MEAN) < 0.05
    assert abs(items.std() - DEVIATION) < 0.05


def test_the_same_seed_gives_the_same_items(tmp_path: Path) -> None:
    source = torch_model(tmp_path / "m.pt2", "conv", "norm", "flat")
    a, b, c = (distilled(source, "torch_export", 8, seed, -1.0, 1.0) for seed in (1, 1, 2))
    assert (a == b).all()
    assert (a != c).any()


@pytest.mark.parametrize("format_", ["torch_export", "onnx"])
def test_without_normalisation_there_is_nothing_to_learn_from(format_: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="batch normalisation"):
        distilled(torch_model(tmp_path / "m.pt2", "conv", "flat"), format_, 4, 0, -1.0, 1.0)
