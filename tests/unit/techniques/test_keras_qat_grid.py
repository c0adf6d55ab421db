"""Kernels on a grid: what a later quantizer stores, against the integers that were trained, counted
in numpy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from tests import tiny

pytestmark = pytest.mark.slow
EXACT = 1e-6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution, a batch normalisation, a depthwise and a pointwise convolution, a shortcut and
    a dense layer.
    """
    from lab.formats.keras.files import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = keras.Input((tiny.SIDE, tiny.SIDE, tiny.CHANNELS), name="x")
    first = layers.ReLU()(
        layers.BatchNormalization(name="norm")(
            layers.Conv2D(12, 3, padding="same", use_bias=False, name="conv")(x)
        )
    )
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(first)
    y = layers.Add(name="add")([layers.Conv2D(12, 1, name="pointwise")(y), first])
    y = layers.Dropout(0.3, name="dropout")(
        layers.GlobalAveragePooling2D(name="pool")(layers.ReLU()(y))
    )
    model = keras.Model(x, layers.Dense(tiny.CLASSES, name="dense")(y))
    rng = np.random.default_rng(0)
    model.get_layer("norm").set_weights(
        [rng.uniform(0.5, 2, 12), rng.normal(size=12), rng.normal(size=12), rng.uniform(0.5, 2, 12)]
    )
    file = tmp_path_factory.mktemp("keras") / "small.keras"
    model.save(file)
    return file


TRAINED: dict[Any, tuple[Path, dict[str, Any]]] = {}


def _trained(source: Path, folder: Path, **params: Any) -> tuple[Path, dict[str, Any]]:
    """The file and its kernels, output channels first, as TFLite has them; each is trained once."""
    key = source, *sorted(params.items())
    if key not in TRAINED:
        TRAINED[key] = _train(source, folder, params)
    return TRAINED[key]


def _train(source: Path, folder: Path, params: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    from lab.formats.keras.files import load_keras

    file = tiny.apply("keras_qat_grid", source, folder, train_steps=4, learning_rate=0.01, **params)
    found = {
        layer.name: np.asarray(layer.kernel)
        for layer in load_keras(file).layers
        if hasattr(layer, "kernel")
    }
    return file, {
        name: np.moveaxis(k[..., 0] if name == "depthwise" else k, -1, 0)
        for name, k in found.items()
    }


def _integers(kernel: Any, bits: int, per_channel: bool) -> Any:
    """Integers of a kernel on its grid, the largest of each group on the last one; fails where it
    is on none.
    """
    groups = kernel.reshape(len(kernel) if per_channel else 1, -1).astype(np.float64)
    found = groups / (np.abs(groups).max(1, keepdims=True) / (2 ** (bits - 1) - 1))
    assert np.abs(found - np.rint(found)).max() < EXACT * 2**bits
    return np.rint(found).astype(int).reshape(kernel.shape)


def _stored(file: Path) -> dict[tuple[int, ...], Any]:
    """Shape -> integers of each kernel in a TFLite file, output channels first."""
    from lab.formats.stored_weights import unpack
    from lab.formats.tflite.files import load_tflite, type_name

    bits, found, model = {"INT8": 8, "INT4": 4, "INT2": 2}, {}, load_tflite(file)
    for tensor in model.subgraphs[0].tensors:
        data, shape = model.buffers[tensor.buffer].data, tuple(map(int, tensor.shape))
        if type_name(tensor) in bits and data is not None and len(shape) > 1:
            width = bits[type_name(tensor)]
            values = unpack(np.asarray(data, np.uint8), width, True, int(np.prod(shape))).reshape(
                shape
            )
            values = (
                np.moveaxis(values[0], -1, 0) if shape[0] == 1 else values
            )  # a depthwise kernel
            found[values.shape] = values
    return found


ALL, PLAIN = ("conv", "depthwise", "pointwise", "dense"), ("conv", "pointwise", "dense")


@pytest.mark.parametrize(
    ("params", "technique", "later", "widths"),
    [
        ({"bits": 8}, "tflite_weight_only_wi8", {}, dict.fromkeys(ALL, 8)),
        ({"bits": 8, "activation_bits": "8"}, "tflite_static_wi8_ai8", {}, dict.fromkeys(ALL, 8)),
        (
            {"bits": 8, "granularity": "tensor", "activation_bits": "8"},
            "tflite_static_wi8_ai8",
            {"per_channel": False},
            dict.fromkeys(ALL, 8),
        ),
        ({"bits": 4}, "tflite_weight_only_wi4", {}, dict.fromkeys(PLAIN, 4)),
        (
            {"bits": 4, "granularity": "tensor"},
            "tflite_weight_only_wi4",
            {"per_channel": False},
            dict.fromkeys(PLAIN, 4),
        ),
        (
            {"bits": 4, "activation_bits": "8"},
            "tflite_static_wi4_ai8",
            {},
            {**dict.fromkeys(PLAIN, 4), "depthwise": 8},
        ),
        ({"bits": 4}, "tflite_dynamic_wi4_afp32", {}, dict.fromkeys(PLAIN, 4)),
        ({"bits": 2}, "tflite_weight_only_wi2", {}, dict.fromkeys(PLAIN, 2)),
    ],
)
def test_tflite_stores_the_integers_that_were_trained(
    params: dict[str, Any],
    technique: str,
    later: dict[str, Any],
    widths: dict[str, int],
    source: Path,
    tmp_path: Path,
) -> None:
    file, kernels = _trained(source, tmp_path / "grid", **params)
    made = tiny.apply(
        technique,
        tiny.apply("keras_to_tflite", file, tmp_path / "float"),
        tmp_path / "made",
        **later,
    )
    stored = _stored(made)
    assert len(stored) == len(widths)
    for name, bits in widths.items():
        wanted = _integers(kernels[name], bits, params.get("granularity") != "tensor")
        assert (stored[kernels[name].shape] == wanted).all()


@pytest.mark.parametrize("granularity", ["channel", "tensor"])
def test_tensorflow_stores_the_integers_that_were_trained(
    granularity: str, source: Path, tmp_path: Path
) -> None:
    file, kernels = _trained(
        source, tmp_path / "grid", bits=8, granularity=granularity, activation_bits="8"
    )
    per_channel = granularity == "channel"
    stored = _stored(tiny.apply("tf_static_int8", file, tmp_path / "made", per_channel=per_channel))
    for kernel in kernels.values():
        assert (stored[kernel.shape] == _integers(kernel, 8, per_channel)).all()


def test_every_layer_is_on_the_grid_where_that_is_asked_for(source: Path, tmp_path: Path) -> None:
    _, kernels = _trained(source, tmp_path, bits=3, depthwise_bits="same")
    for kernel in kernels.values():
        integers = _integers(kernel, 3, True)
        assert (np.abs(integers).reshape(len(integers), -1).max(1) == 3).all()


@pytest.mark.parametrize(
    ("activation_bits", "deployed"),
    [("none", "tflite_weight_only_wi4"), ("8", "tflite_static_wi4_ai8")],
)
def test_the_gap_is_told_on_the_same_items(
    activation_bits: str, deployed: str, source: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    from lab.options import validate
    from lab.registry import technique

    notes: dict[str, Any] = {}
    plug = technique("keras_qat_grid")
    context = replace(tiny.context(tmp_path), note=notes.__setitem__)
    plug.apply(
        source,
        validate(plug.options, {"train_steps": 2, "activation_bits": activation_bits}, plug.id),
        context,
    )
    told = notes["fake_quantized"]
    assert (told["metric"], told["n"], notes["deployed_as"]) == ("top1_accuracy", 512, deployed)
    assert notes["on_grid"].startswith("3 of 4" if activation_bits == "none" else "4 of 4")
    if activation_bits == "none":
        assert told["value"] == told["deployed"]
    assert abs(told["value"] - told["deployed"]) < 0.1


def test_zeros_stay(source: Path, tmp_path: Path) -> None:
    import keras

    model = keras.models.load_model(source, compile=False)
    kernel, bias = model.get_layer("dense").get_weights()
    kernel[::2] = 0
    model.get_layer("dense").set_weights([kernel, bias])
    model.save(tmp_path / "pruned.keras")
    for keep in (True, False):
        _, kernels = _trained(
            tmp_path / "pruned.keras", tmp_path / str(keep), keep_zeros=keep, bits=8
        )
        assert bool((kernels["dense"][:, ::2] == 0).all()) is keep


def test_activations_are_rounded_as_tensorflow_says(source: Path, tmp_path: Path) -> None:
    """One fake layer against the formula: 255 steps over a range that holds zero, zero exactly on a
    step.
    """
    from lab.compress.keras.fake_quantization import fake_class

    x = np.linspace(-1.3, 2.9, 1001, dtype=np.float32)[None]
    step = (2.5 + 1.0) / 255
    zero = np.rint(1.0 / step)
    wanted = (np.clip(np.rint(x / step) + zero, 0, 255) - zero) * step
    made = np.asarray(fake_class()(-1.0, 2.5)(x))
    assert (np.abs(made - wanted) < 1e-5).mean() > 0.999  # halves may go either way
    assert np.abs(made - wanted).max() < 1.001 * step


def test_a_model_without_kernels_is_refused(tmp_path: Path) -> None:
    import keras

    x = keras.Input((tiny.SIDE, tiny.SIDE, tiny.CHANNELS))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.SeparableConv2D(tiny.CLASSES, 3)(x))
    keras.Model(x, y).save(tmp_path / "odd.keras")
    with pytest.raises(InvalidFile, match=r"Conv2D.*SeparableConv2D"):
        tiny.apply("keras_qat_grid", tmp_path / "odd.keras", tmp_path / "out")
