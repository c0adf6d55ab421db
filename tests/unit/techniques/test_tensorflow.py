"""What TensorFlow's own converter writes, read back from the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import inspect
from lab.options import validate
from lab.registry import technique, techniques
from tests import stored, tiny

pytestmark = pytest.mark.slow
HALF_A_STEP = 0.5001
OURS = ["tf_dynamic_int8", "tf_fp16", "tf_static_int16x8", "tf_static_int8"]


@pytest.fixture(scope="module")
def tiny_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_keras(tmp_path_factory.mktemp("keras") / "tiny")


@pytest.fixture(scope="module")
def large_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution of 2048 weights: what has fewer than 1024 stays float in dynamic files."""
    return _save(tmp_path_factory.mktemp("large") / "large.keras", lambda x: x)


def _save(path: Path, between: Any) -> Path:
    """A convolution of 64 filters, an operator, a mean and a dense layer."""
    from lab.formats.keras.files import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((tiny.SIDE, tiny.SIDE, tiny.CHANNELS))
    y = between(keras.layers.Conv2D(64, 3, name="conv0")(x))
    keras.Model(x, keras.layers.Dense(tiny.CLASSES)(keras.layers.GlobalAveragePooling2D()(y))).save(
        path
    )
    return path


def _kernels(source: Path) -> list[Any]:
    """Weights of the layers that have any, in TFLite's order of axes: output channels first."""
    from lab.formats.keras.files import load_keras

    layers = [layer.get_weights()[0] for layer in load_keras(source).layers if layer.get_weights()]
    return [w.transpose(3, 0, 1, 2) if w.ndim == 4 else w.T for w in layers]


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("id_", ["tf_static_int8", "tf_dynamic_int8"])
def test_weights_are_within_half_a_step(
    id_: str, per_channel: bool, large_keras: Path, tmp_path: Path
) -> None:
    found = [
        w
        for w in stored.weights(
            tiny.apply(id_, large_keras, tmp_path, per_channel=per_channel)
        ).values()
        if w.type == "INT8"
    ]
    wanted = {kernel.shape: kernel for kernel in _kernels(large_keras)}
    assert len(found) == {"tf_static_int8": 2, "tf_dynamic_int8": 1}[id_]
    for weight in found:
        kernel = wanted[weight.values.shape]
        assert weight.scales == (len(kernel) if per_channel else 1)
        assert (np.abs(weight.values - kernel) <= HALF_A_STEP * weight.step).all()


def test_16_bit_activations_and_16_bit_floats(large_keras: Path, tmp_path: Path) -> None:
    wide = tiny.apply("tf_static_int16x8", large_keras, tmp_path / "wide")
    graph = stored.load(wide).subgraphs[0]
    made = {
        stored.NAMES[graph.tensors[n].type]
        for _, operator in stored.operators(stored.load(wide))
        for n in operator.outputs
    }
    assert made == {"INT16"}
    half = tiny.apply("tf_fp16", large_keras, tmp_path / "half")
    kernels = {kernel.shape: kernel for kernel in _kernels(large_keras)}
    halves = [w.values for w in stored.weights(half).values() if w.type == "FLOAT16"]
    assert sum(w.shape in kernels for w in halves) == len(kernels)
    for w in halves:
        if w.shape in kernels:
            np.testing.assert_array_equal(w, kernels[w.shape].astype(np.float16))


@pytest.mark.parametrize(
    ("id_", "io", "type_"),
    [
        ("tf_static_int8", "int8", "INT8"),
        ("tf_static_int8", "uint8", "UINT8"),
        ("tf_static_int8", "float32", "FLOAT32"),
        ("tf_static_int16x8", "int16", "INT16"),
        ("tf_static_int16x8", "float32", "FLOAT32"),
    ],
)
def test_inputs_and_outputs_are_really_of_the_type(
    id_: str, io: str, type_: str, tiny_keras: Path, tiny_tflite: Path, tmp_path: Path
) -> None:
    file, x = tiny.apply(id_, tiny_keras, tmp_path, io=io), tiny.items(100)
    graph = stored.load(file).subgraphs[0]
    assert [stored.NAMES[graph.tensors[n].type] for n in (*graph.inputs, *graph.outputs)] == [
        type_,
        type_,
    ]
    assert inspect(file, "tflite")["float_operators"] == {}
    outputs, float_ = tiny.answers("litert", file, x), tiny.answers("litert", tiny_tflite, x)
    assert np.corrcoef(outputs.ravel(), float_.ravel())[0, 1] > 0.99


def test_sizes_follow_the_bits(tmp_path: Path) -> None:
    import keras

    source = _save(tmp_path / "more.keras", lambda x: keras.layers.Conv2D(128, 3)(x))
    count = sum(kernel.size for kernel in _kernels(source))
    for id_, bits in (
        ("tf_fp16", 16),
        ("tf_static_int8", 8),
        ("tf_static_int16x8", 8),
        ("tf_dynamic_int8", 8),
    ):
        size = tiny.apply(id_, source, tmp_path / id_).stat().st_size
        assert size == pytest.approx(count * bits / 8, abs=12_000)


@pytest.mark.parametrize("id_", ["tf_static_int8", "tf_static_int16x8"])
def test_an_operator_without_an_integer_kernel(id_: str, tmp_path: Path) -> None:
    import keras

    source = _save(tmp_path / "sine.keras", lambda x: keras.ops.sin(x))
    with pytest.raises(InvalidFile, match=r"SIN.*float_fallback"):
        tiny.apply(id_, source, tmp_path / "refused")
    file = tiny.apply(id_, source, tmp_path / "left", float_fallback=True)
    graph = stored.load(file).subgraphs[0]
    left = {
        kind
        for kind, operator in stored.operators(stored.load(file))
        if all(stored.NAMES[graph.tensors[n].type] == "FLOAT32" for n in operator.outputs)
    } - {"DEQUANTIZE"}
    assert left == {"SIN"}


@pytest.mark.parametrize("id_", ["keras_to_tflite", *OURS])
def test_an_operator_that_tflite_lacks_is_named(id_: str, tmp_path: Path) -> None:
    import keras

    source = _save(tmp_path / "odd.keras", lambda x: keras.ops.erfinv(keras.ops.tanh(x)))
    with pytest.raises(InvalidFile, match=r"knows no TFLite operator.*'Erfinv'.*ONNX"):
        tiny.apply(id_, source, tmp_path / "out")


def test_names_say_which_converter_wrote_the_file() -> None:
    names = {}
    for id_ in OURS:
        plug = technique(id_)
        defaults = validate(plug.options, {}, id_)
        names[id_] = [
            plug.name(defaults),
            *(
                plug.name(validate(plug.options, given, id_))
                for given in plug.extra.get("full", ())
            ),
        ]
        assert all(name.endswith("_tf") for name in names[id_])
    every = [name for found in names.values() for name in found]
    assert len(set(every)) == len(every)
    assert {t.toolchain for t in techniques().values() if t.id in OURS} == {"tensorflow"}
