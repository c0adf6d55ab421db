"""Every sample model that is shipped is what its card says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lab import registry
from lab.plugs import Array
from lab.types import ModelCard

HEAVY = ("torch", "tensorflow", "keras", "sklearn", "babel")


@pytest.fixture(params=sorted(registry.sample_cards()))
def card(request: pytest.FixtureRequest) -> ModelCard:
    return registry.sample_cards()[request.param]


def model_input(card: ModelCard, x: Array) -> Array:
    return (x * card.input.scale + card.input.offset).astype(card.input.dtype)


def answers(card: ModelCard, x: Array) -> Array:
    return {"keras": keras_answers, "torch_export": torch_answers}[card.format](card.path, x)


def keras_answers(path: str, x: Array) -> Array:
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras

    return np.asarray(keras.models.load_model(path)(x, training=False))


def torch_answers(path: str, x: Array) -> Array:
    import torch

    with torch.no_grad():
        return np.asarray(torch.export.load(path).module()(torch.from_numpy(x)))


def test_weights_are_there(card: ModelCard) -> None:
    assert Path(card.path).is_absolute()
    assert Path(card.path).is_file()


def test_data_set_fits(card: ModelCard) -> None:
    dataset = registry.dataset(card.dataset)
    assert card.class_names == dataset.class_names
    assert card.task == dataset.task
    assert dataset.load().x_test.shape[1:] == card.input.shape


def test_record_was_made_with_the_data_set_of_today(card: ModelCard) -> None:
    record = json.loads(Path(card.path).with_suffix(".json").read_text(encoding="utf-8"))
    assert record["dataset_digest"] == registry.dataset(card.dataset).digest


def test_card_is_complete_and_survives_json(card: ModelCard) -> None:
    assert all((card.title, card.licence, card.provenance, card.description, card.parameters, card.macs))
    assert ModelCard.from_json(json.loads(json.dumps(card.to_json()))) == card


def test_baseline_states_its_interval(card: ModelCard) -> None:
    top1 = card.baseline["top1_accuracy"]
    assert top1.n == len(registry.dataset(card.dataset).load().y_test)
    assert top1.low is not None
    assert top1.high is not None
    assert 0 < top1.low < top1.value < top1.high < 1


def test_importing_the_cards_loads_no_framework() -> None:
    code = f"import sys, lab.registry; lab.registry.sample_cards(); print(*set({HEAVY}) & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.slow
def test_shipped_weights_reach_the_baseline(card: ModelCard) -> None:
    splits = registry.dataset(card.dataset).load()
    outputs = answers(card, model_input(card, splits.x_test))
    assert outputs.shape == (len(splits.y_test), len(card.class_names))
    correct = int((outputs.argmax(axis=1) == splits.y_test).sum())
    top1 = card.baseline["top1_accuracy"]
    assert abs(correct - round(top1.value * top1.n)) <= 1


@pytest.mark.slow
def test_batch_axis_is_free(card: ModelCard) -> None:
    x = model_input(card, registry.dataset(card.dataset).load().x_test[:5])
    one_by_one = np.concatenate([answers(card, x[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(answers(card, x)[:2], one_by_one, atol=1e-4)
