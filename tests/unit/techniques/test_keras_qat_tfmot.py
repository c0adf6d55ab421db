"""What TFMOT trained, read back from the file, against what it imitated while it trained."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import inspect
from tests import stored, tiny

pytestmark = pytest.mark.slow


def _save(path: Path, between: Any) -> Path:
    """A convolution, its normalisation, an operator, a mean and a dense layer, Keras 3."""
    from lab.formats.keras.files import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    layers, x = keras.layers, keras.Input((tiny.SIDE, tiny.SIDE, tiny.CHANNELS), name="x")
    y = layers.ReLU(name="relu")(
        layers.BatchNormalization(name="norm")(layers.Conv2D(8, 3, padding="same", name="conv")(x))
    )
    y = layers.Dropout(0.3, name="dropout")(
        layers.GlobalAveragePooling2D(name="pool")(between(layers, y))
    )
    keras.Model(x, layers.Dense(tiny.CLASSES, name="dense")(y)).save(path)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(
        tmp_path_factory.mktemp("keras") / "small.keras",
        lambda layers, y: layers.Add(name="add")(
            [layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y), y]
        ),
    )


def _made(source: Path, folder: Path, **params: Any) -> tuple[Path, dict[str, Any]]:
    from lab.options import validate
    from lab.registry import technique

    plug, notes = technique("keras_qat_tfmot"), dict[str, Any]()
    context = replace(tiny.context(folder), note=notes.__setitem__)
    return (
        plug.apply(source, validate(plug.options, {"train_steps": 3} | params, plug.id), context),
        notes,
    )


def test_the_file_is_in_integers_throughout_and_answers_as_what_was_trained(
    source: Path, tmp_path: Path
) -> None:
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    file, notes = _made(source, tmp_path)
    assert inspect(file, "tflite")["float_operators"] == {}
    told = notes["fake_quantized"]
    assert (told["metric"], told["n"]) == ("top1_accuracy", 512)
    assert abs(told["value"] - told["deployed"]) < 0.05
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before


def test_it_starts_from_the_model_as_it_answers(source: Path, tmp_path: Path) -> None:
    """Almost nothing is learnt at this rate: ranges that fit and weights that came over give the
    float model's answers.
    """
    file, _ = _made(source, tmp_path / "int8", train_steps=1, learning_rate=1e-7)
    float_ = tiny.apply("keras_to_tflite", source, tmp_path)
    x = tiny.items(100)
    outputs, wanted = tiny.answers("litert", file, x), tiny.answers("litert", float_, x)
    assert np.corrcoef(outputs.ravel(), wanted.ravel())[0, 1] > 0.995


def test_kernels_are_stored_with_a_scale_a_channel(source: Path, tmp_path: Path) -> None:
    file, _ = _made(source, tmp_path)
    found = {w.values.shape: w.scales for w in stored.weights(file).values() if w.type == "INT8"}
    assert found[(8, 3, 3, tiny.CHANNELS)] == found[(1, 3, 3, 8)] == 8


def test_a_layer_that_tfmot_lacks_is_named_with_what_to_choose(tmp_path: Path) -> None:
    odd = _save(tmp_path / "odd.keras", lambda layers, y: layers.PReLU(name="slope")(y))
    with pytest.raises(InvalidFile, match=r"slope \(PReLU\).*keras_qat_grid"):
        _made(odd, tmp_path / "out")


def test_a_layer_that_tf_keras_lacks_is_named_with_what_to_choose(tmp_path: Path) -> None:
    odd = _save(tmp_path / "odd.keras", lambda layers, y: layers.RMSNormalization(name="rms")(y))
    with pytest.raises(InvalidFile, match=r"rms \(RMSNormalization\).*keras_qat_grid"):
        _made(odd, tmp_path / "out")
