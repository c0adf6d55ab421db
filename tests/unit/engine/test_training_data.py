from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.engine import keys
from lab.engine.training_data import training_set
from lab.errors import InvalidFile
from lab.store.data import data_digest, data_folder
from lab.store.npz import read_data
from lab.types import Step
from tests import small


def test_a_data_sets_own_training_set_is_made_once_and_held_out_items_are_calibration_items(
    lab_home: Path,
) -> None:
    card = lab.model("digits_lenet")
    where = data_folder(card)
    made = training_set(where, card)
    x, y = registry.dataset("digits").training()  # type: ignore[misc]
    assert made.source == "training set"
    assert made.learns == "classes"
    np.testing.assert_array_equal(made.y, y)
    np.testing.assert_allclose(made.x, x.astype("float32"), rtol=1e-6)
    np.testing.assert_array_equal(made.y_check, np.load(where / "y_calibration.npy")[:512])
    kept = list((lab_home / "data").glob("training-*/x.npy"))
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    training_set(where, card)
    assert kept[0].stat().st_mtime_ns == written


def added(tmp_path: Path, **arrays: Any) -> Any:
    return lab.add_model(
        small.write_onnx(tmp_path / "small.onnx"),
        small.write_data(tmp_path / "small.npz", **arrays),
    )


def test_without_a_training_set_some_calibration_items_are_held_out_and_the_others_learnt(
    lab_home: Path, tmp_path: Path
) -> None:
    card = added(tmp_path)
    made = training_set(data_folder(card), card)
    whole = small.arrays()
    assert made.source.startswith("calibration items")
    assert (len(made.x), len(made.x_check)) == (160, 40)
    np.testing.assert_array_equal(np.concatenate([made.y_check, made.y]), whole["y_calibration"])


def test_a_training_set_comes_with_a_models_data(lab_home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x, y = (
        rng.normal(size=(70, small.FEATURES)).astype("float32"),
        rng.integers(0, small.CLASSES, 70),
    )
    card = added(tmp_path, x_train=x, y_train=y)
    made = training_set(data_folder(card), card)
    np.testing.assert_array_equal(made.x, x)
    np.testing.assert_array_equal(made.y, y)
    assert len(made.x_check) == 200
    assert data_digest(card) != data_digest(added(tmp_path))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"x_train": np.zeros((9, 64), "float32")}, "y_train"),
        ({"x_train": np.zeros((9, 63), "float32"), "y_train": np.zeros(9, int)}, "differ in shape"),
        ({"x_train": np.zeros((9, 64), "float32"), "y_train": np.zeros(8, int)}, "train split"),
        ({"x_train": np.zeros((9, 64), "float32"), "y_train": np.full(9, 0.5)}, "y_train"),
    ],
)
def test_training_sets_that_do_not_fit_are_refused(changed: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=says):
        read_data(small.write_data(tmp_path / "small.npz", **changed))


def test_what_is_learnt_from_is_in_the_key_of_what_trains_and_of_nothing_else() -> None:
    card = lab.model("digits_lenet")
    trained, converted = (Step("keras_fine_tune", {}),), (Step("keras_to_tflite", {}),)
    other = replace(card, dataset="motion")
    for steps, differ in ((trained, True), (converted, False)):
        found = {keys.step_key("0" * 64, steps, c, "digest") for c in (card, other)}
        assert (len(found) == 2) is differ


def test_autoencoders_learn_their_inputs() -> None:
    assert {
        task.learns for task in registry.tasks().values() if task.id == "anomaly_detection"
    } == {"inputs"}
    assert {task.learns for task in registry.tasks().values() if task.id == "classification"} == {
        "labels"
    }
