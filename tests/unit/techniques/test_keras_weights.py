"""Clustered, factorized and sparsely stored Keras models, against their formulas and counted in the
TFLite file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidOption
from tests import tiny

pytestmark = pytest.mark.slow
SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convolutions (3×3 with stride, depthwise, 1×1), a normalisation, a residual sum, a layer
    called twice, dense layers.
    """
    from lab.formats.keras.files import tensorflow

    tensorflow()
    path = tmp_path_factory.mktemp("keras") / "net.keras"
    _network().save(path)
    return path


def _network() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = i = keras.Input(SHAPE, name="x")
    x = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="norm")(x)
    norm = x._keras_history.operation
    norm.gamma.assign(np.linspace(0.5, 2, 24))
    x = layers.ReLU(name="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    y = layers.Conv2D(24, 1, activation="relu", name="point")(y)
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Add(name="sum")([x, y]))
    twice = layers.Dense(24, activation="relu", name="twice")
    return keras.Model(i, layers.Dense(5, name="head")(twice(twice(x))), name="net")


def _model(path: Path) -> Any:
    from lab.formats.keras.files import load_keras

    return load_keras(path)


def _answers(path: Path, x: Any) -> Any:
    return np.asarray(_model(path)(x, training=False))


def _items() -> Any:
    return np.random.default_rng(0).normal(size=(8, *SHAPE)).astype(np.float32)


def test_two_layers_answer_as_their_product_does(source: Path, tmp_path: Path) -> None:
    """The factorized model against the whole one with its kernels exchanged for the best matrices
    of that rank.
    """
    made = tiny.apply("keras_low_rank", source, tmp_path, share=0.5)
    low, whole = _model(made), _model(source)
    parts = {layer.name: layer for layer in low.layers}
    factorized = [layer for layer in whole.layers if f"{layer.name}.0" in parts]
    for layer in factorized:
        kernel = layer.kernel.numpy()
        u, s, v = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), full_matrices=False)
        rank = parts[f"{layer.name}.0"].kernel.shape[-1]
        layer.kernel.assign((u[:, :rank] * s[:rank] @ v[:rank]).reshape(kernel.shape))
    assert {"stem", "twice"} <= {layer.name for layer in factorized}
    assert np.allclose(np.asarray(low(_items())), np.asarray(whole(_items())), atol=1e-4)


@pytest.mark.parametrize(("clusters", "scope"), [(8, "tensor"), (4, "channel")])
def test_the_deployed_weights_take_so_few_values(
    clusters: int, scope: str, source: Path, tmp_path: Path
) -> None:
    made = tiny.apply(
        "keras_weight_clustering", source, tmp_path / "a", clusters=clusters, scope=scope
    )
    (tmp_path / "b").mkdir()
    weights = _stored(tiny.apply("keras_to_tflite", made, tmp_path / "b"))
    assert len(weights) == 5
    for w in weights:
        channels = (
            list(np.moveaxis(w, -1 if w.shape[0] == 1 else 0, 0)) if scope == "channel" else [w]
        )
        assert max(len(np.unique(c)) for c in channels) <= clusters


def _stored(file: Path) -> list[Any]:
    """The float weights of two axes or more in a TFLite file."""
    from lab.formats.tflite.files import load_tflite

    model = load_tflite(file)
    buffers = [
        (t, model.buffers[t.buffer].data)
        for t in model.subgraphs[0].tensors
        if len(t.shape) > 1 and t.type == 0
    ]
    return [
        np.frombuffer(bytes(data), np.float32).reshape(t.shape)
        for t, data in buffers
        if data is not None and len(data)
    ]


def test_layers_that_are_not_there_are_refused(source: Path, tmp_path: Path) -> None:
    for technique in ("keras_weight_clustering", "keras_low_rank"):
        with pytest.raises(InvalidOption, match="does not have"):
            tiny.apply(technique, source, tmp_path, keep=("none",))


def test_a_file_without_its_zeros_is_smaller_and_answers_the_same(
    source: Path, tmp_path: Path
) -> None:
    model = _model(source)
    for name in ("stem", "point", "twice"):
        kernel = model.get_layer(name).kernel
        w = kernel.numpy()
        kernel.assign(np.where(np.abs(w) < np.quantile(np.abs(w), 0.9), 0, w))
    pruned = tmp_path / "pruned.keras"
    model.save(pruned)
    for folder in ("dense", "sparse"):
        (tmp_path / folder).mkdir()
    dense = tiny.apply("keras_to_tflite", pruned, tmp_path / "dense")
    sparse = tiny.apply("tf_sparse", pruned, tmp_path / "sparse")
    kept = [sum(w.size for w in _stored_sizes(file)) for file in (dense, sparse)]
    assert kept[1] < kept[0] / 2
    assert np.allclose(
        tiny.answers("litert", sparse, _items()), tiny.answers("litert", dense, _items()), atol=1e-6
    )


def _stored_sizes(file: Path) -> list[Any]:
    """Numbers of each float buffer, whatever its tensor's shape says."""
    from lab.formats.tflite.files import load_tflite

    model = load_tflite(file)
    datas = [model.buffers[t.buffer].data for t in model.subgraphs[0].tensors if t.type == 0]
    return [
        np.frombuffer(bytes(data), np.float32) for data in datas if data is not None and len(data)
    ]
