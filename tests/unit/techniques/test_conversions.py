"""Conversions change no number: the converted files answer what the framework answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import detect_format
from tests import tiny

pytestmark = pytest.mark.slow
RUNS = {"onnx": "ort", "tflite": "litert"}


@pytest.fixture(scope="module")
def keras_model() -> Any:
    from lab.formats.keras.files import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((tiny.SIDE, tiny.SIDE, tiny.CHANNELS)),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(tiny.CLASSES),
        ]
    )


@pytest.mark.parametrize("suffix", ["keras", "h5", "blob"])
@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_keras_files_old_and_new_whatever_their_name(
    suffix: str, format_: str, keras_model: Any, tmp_path: Path
) -> None:
    source, x = tmp_path / f"model.{suffix}", tiny.items(20)
    keras_model.save(tmp_path / ("model.h5" if suffix == "h5" else "model.keras"))
    if suffix == "blob":
        (tmp_path / "model.keras").rename(source)
    assert detect_format(source) == "keras"
    file = tiny.apply(f"keras_to_{format_}", source, tmp_path / "out")
    assert detect_format(file) == format_
    np.testing.assert_allclose(
        tiny.answers(RUNS[format_], file, x), keras_model.predict(x, verbose=0), atol=1e-5
    )


def _exported(path: Path, batch: str) -> Path:
    import torch

    torch.manual_seed(0)
    layers = [
        torch.nn.Conv2d(tiny.CHANNELS, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
    ]
    model = torch.nn.Sequential(
        *layers, torch.nn.Flatten(), torch.nn.Linear(8, tiny.CLASSES)
    ).eval()
    x = torch.from_numpy(tiny.items(4 if batch == "free" else 1, channels_first=True))
    axes = ({0: torch.export.Dim("batch", min=1)},) if batch == "free" else None
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=axes), path)
    return path


def _torch_answers(path: Path, x: Any) -> Any:
    import torch

    program = torch.export.load(path).module(check_guards=False)
    return np.concatenate([program(torch.from_numpy(item[None])).detach().numpy() for item in x])


@pytest.mark.parametrize("batch", ["free", "one"])
@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_exported_programs_of_a_free_and_of_a_fixed_batch(
    batch: str, format_: str, tmp_path: Path
) -> None:
    from lab.formats.inspect import inspect

    source, x = _exported(tmp_path / "model.pt2", batch), tiny.items(6, channels_first=True)
    assert detect_format(source) == "torch_export"
    file = tiny.apply(f"torch_to_{format_}", source, tmp_path / "out")
    np.testing.assert_allclose(
        tiny.answers(RUNS[format_], file, x), _torch_answers(source, x), atol=1e-5
    )
    shape = {
        "onnx": [None, tiny.CHANNELS, tiny.SIDE, tiny.SIDE],
        "tflite": [1, tiny.SIDE, tiny.SIDE, tiny.CHANNELS],
    }
    assert inspect(file, format_)["inputs"][0]["shape"] == shape[format_]


@pytest.mark.parametrize("technique", ["onnx_fp16", "onnx_dynamic_int8", "onnx_static_int8"])
def test_what_torch_exports_can_be_quantized(technique: str, tmp_path: Path) -> None:
    source = tiny.apply(
        "torch_to_onnx", _exported(tmp_path / "model.pt2", "free"), tmp_path / "float"
    )
    file, x = tiny.apply(technique, source, tmp_path / "out"), tiny.items(50)
    assert (
        np.corrcoef(tiny.answers("ort", file, x).ravel(), tiny.answers("ort", source, x).ravel())[
            0, 1
        ]
        > 0.99
    )


def test_a_tflite_file_becomes_onnx(keras_model: Any, tmp_path: Path) -> None:
    keras_model.save(tmp_path / "model.keras")
    source, x = (
        tiny.apply("keras_to_tflite", tmp_path / "model.keras", tmp_path / "tflite"),
        tiny.items(6),
    )
    file = tiny.apply("tflite_to_onnx", source, tmp_path / "onnx")
    np.testing.assert_allclose(
        tiny.answers("ort", file, x), tiny.answers("litert", source, x), atol=1e-5
    )


def test_a_translation_that_loses_a_bias_is_refused(tiny_tflite: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="with different outputs"):
        tiny.apply("tflite_to_onnx", tiny_tflite, tmp_path)


def test_a_16_bit_gelu_does_not_crash_the_runtime(tmp_path: Path) -> None:
    import torch

    encoder = torch.nn.TransformerEncoderLayer(
        16, 2, 32, batch_first=True, activation="gelu"
    ).eval()
    model = torch.nn.Sequential(
        torch.nn.Embedding(50, 16), encoder, torch.nn.Flatten(), torch.nn.Linear(96, 3)
    ).eval()
    program = torch.export.export(model, (torch.zeros(1, 6, dtype=torch.int64),))
    torch.export.save(program, tmp_path / "model.pt2")
    source = tiny.apply("torch_to_onnx", tmp_path / "model.pt2", tmp_path / "float")
    x = np.random.default_rng(0).integers(0, 50, (20, 6))
    half = tiny.answers("ort", tiny.apply("onnx_fp16", source, tmp_path / "half"), x)
    np.testing.assert_allclose(half, tiny.answers("ort", source, x), atol=0.02)
