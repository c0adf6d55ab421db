"""Which items calibrate: the first ones, drawn ones, noise; always noted where no data were
used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.engine.calibration import Calibration
from lab.errors import InvalidFile
from lab.types import InputSpec, ModelCard

PIXELS = np.random.default_rng(0).integers(10, 200, (60, 4, 4, 3), dtype=np.uint8)
CARD = ModelCard(
    "m",
    "M",
    "classification",
    "ONNX",
    "onnx",
    "m.onnx",
    InputSpec((3, 4, 4), layout="NCHW", scale=1 / 255, data_layout="NHWC"),
    "none",
)


@pytest.fixture
def notes() -> dict[str, Any]:
    return {}


@pytest.fixture
def where(tmp_path: Path) -> Path:
    np.save(tmp_path / "x_calibration.npy", PIXELS)
    np.save(tmp_path / "y_calibration.npy", np.arange(60) % 5)
    return tmp_path


def calibration(where: Path, notes: dict[str, Any], **params: Any) -> Calibration:
    return Calibration(where, CARD, params, notes.__setitem__)


def test_the_first_items_unless_a_seed_draws_others(where: Path, notes: dict[str, Any]) -> None:
    first = calibration(where, notes).inputs(8)
    np.testing.assert_allclose(first, np.moveaxis(PIXELS[:8], -1, 1) / 255, rtol=1e-6)
    drawn, again = (calibration(where, notes, calibration_seed=3).inputs(8) for _ in range(2))
    assert (drawn == again).all()
    assert (drawn != calibration(where, notes, calibration_seed=4).inputs(8)).any()
    rows = {
        row.tobytes() for row in np.moveaxis(PIXELS, -1, 1).astype(np.float32) * np.float32(1 / 255)
    }
    assert len({row.tobytes() for row in drawn} & rows) == 8
    assert notes == {}


def test_more_than_there_are_is_noted(where: Path, notes: dict[str, Any]) -> None:
    assert len(calibration(where, notes, calibration_seed=1).inputs(100)) == 60
    assert notes["calibration"] == "asked for 100 samples, the data hold 60"


def test_truth_goes_with_its_items(where: Path, notes: dict[str, Any]) -> None:
    x, y = calibration(where, notes, calibration_seed=5).labelled(10)
    stored = np.moveaxis(PIXELS, -1, 1) / 255
    for item, label in zip(x, y, strict=True):
        (row,) = np.flatnonzero(np.abs(stored - item).max(axis=(1, 2, 3)) < 1e-6)
        assert row % 5 == label


def test_noise_spans_the_range_of_the_data_and_is_labelled(
    where: Path, notes: dict[str, Any]
) -> None:
    noise = calibration(where, notes, calibration_source="noise").inputs(500)
    assert noise.shape == (500, 3, 4, 4)
    np.testing.assert_allclose(
        [noise.min(), noise.max()], [PIXELS.min() / 255, PIXELS.max() / 255], atol=1e-6
    )
    assert notes["calibration"].startswith("no data used: 500 items made from noise")


@pytest.mark.slow
def test_items_from_batch_normalisation_need_one(where: Path, notes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFile, match="Calibrate with data or with noise"):
        calibration(where, notes, calibration_source="batch_norm").inputs(4)
