"""Rebuilt Keras models answer as the original does; folded ones up to rounding, without their
normalisations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.compress.keras.graph import Changed, fold_batch_norms, rebuilt
from lab.errors import InvalidFile
from lab.formats.keras.files import load_keras, tensorflow

pytestmark = pytest.mark.slow
MODELS = Path(__file__).resolve().parents[4] / "sample_models" / "weights"


@pytest.fixture(scope="module")
def keras() -> Any:
    tensorflow()
    import keras

    return keras


def _items(model: Any) -> Any:
    return np.random.default_rng(0).normal(size=(8, *model.inputs[0].shape[1:])).astype(np.float32)


def _unsettled(model: Any) -> Any:
    """The model with statistics and scales that a trained one could have."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def _nested(keras: Any) -> Any:
    """A model inside the model that is called twice, once for inference; operations that are no
    layers; two outputs.
    """
    layers = keras.layers
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="c"),
            layers.BatchNormalization(name="n"),
        ],
        name="inner",
    )
    image = keras.Input((8, 8, 3), name="image")
    once, twice = inner(image, training=False), inner(keras.ops.multiply(image, 2.0))
    flat = layers.Dropout(0.5, name="drop")(
        layers.Flatten(name="flat")(keras.ops.relu(once + twice - 1.0))
    )
    return _unsettled(keras.Model({"image": image}, [layers.Dense(3, name="last")(flat), once]))


@pytest.mark.parametrize("id_", ["digits_lenet", "keywords_dscnn", "machine_autoencoder"])
def test_sample_models_answer_the_same(id_: str, keras: Any) -> None:
    model = load_keras(MODELS / f"{id_}.keras")
    x, folded = _items(model), fold_batch_norms(model)
    wanted = model(x).numpy()
    assert (rebuilt(model)(x).numpy() == wanted).all()
    np.testing.assert_allclose(
        folded(x).numpy(), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max()
    )
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    added = sum(
        layer.output.shape[-1]
        for layer in model.layers
        if getattr(layer, "use_bias", True) is False
    )
    assert (
        folded.count_params()
        == model.count_params() - sum(norm.count_params() for norm in norms) + added
    )


def test_models_inside_models_are_dissolved_and_answer_the_same(keras: Any, tmp_path: Path) -> None:
    model = _nested(keras)
    again, x = rebuilt(model), {"image": _items(model)}
    names = [layer.name for layer in again.layers]
    assert names == ["image", "inner.c", "inner.n", "flat", "drop", "last"]
    again.save(tmp_path / "again.keras")
    for copy in (again, load_keras(tmp_path / "again.keras")):
        for mine, wanted in zip(copy(x), model(x), strict=True):
            assert (mine.numpy() == wanted.numpy()).all()


def test_training_draws_the_same_random_numbers(keras: Any) -> None:
    model = _nested(keras)
    again, x = rebuilt(model), {"image": _items(model)}
    first, second = model(x, training=True)[0].numpy(), again(x, training=True)[0].numpy()
    assert (first == second).all()
    assert not (first == model(x, training=True)[0].numpy()).all()


FOLDABLE = [
    "Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose", "DepthwiseConv1D", "DepthwiseConv2D",
    "SeparableConv1D", "SeparableConv2D", "Dense",
]  # fmt: skip


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", FOLDABLE)
def test_every_kind_folds(kind: str, bias: bool, keras: Any) -> None:
    cls, sizes = (
        getattr(keras.layers, kind),
        (6,) if kind == "Dense" else (3,) if "Depthwise" in kind else (6, 3),
    )
    more = {"depth_multiplier": 2} if "Depthwise" in kind or "Separable" in kind else {}
    x = keras.Input((9, 4) if "1D" in kind else (9, 9, 4))
    norm = keras.layers.BatchNormalization(scale=bias, center=not bias)
    model = _unsettled(
        keras.Model(x, norm(cls(*sizes, use_bias=bias, bias_initializer="ones", **more)(x)))
    )
    folded = fold_batch_norms(model)
    assert [type(layer).__name__ for layer in folded.layers] == ["InputLayer", kind]
    np.testing.assert_allclose(folded(_items(model)), model(_items(model)), rtol=1e-4, atol=1e-5)


def test_a_normalisation_stays_where_something_else_sees_what_it_is_given(keras: Any) -> None:
    x, layers = keras.Input((8, 8, 3)), keras.layers
    active = layers.BatchNormalization()(layers.Conv2D(4, 1, activation="relu")(x))
    between = layers.Conv2D(4, 1)(active)
    read = layers.Add()([between, layers.BatchNormalization()(between)])
    last = layers.Conv2D(4, 1)(read)
    model = _unsettled(keras.Model(x, [layers.BatchNormalization()(last), last]))
    folded = fold_batch_norms(model)
    assert sum(isinstance(layer, layers.BatchNormalization) for layer in folded.layers) == 3
    for mine, wanted in zip(folded(_items(model)), model(_items(model)), strict=True):
        assert (mine.numpy() == wanted.numpy()).all()


def test_changed_configurations_and_weights_are_taken(keras: Any) -> None:
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(2, name="b")(keras.layers.Dense(5, name="a")(x)))
    kernel, bias = model.get_layer("a").get_weights()
    last, end = model.get_layer("b").get_weights()
    kept = [0, 3]
    a = Changed({"units": 2}, [kernel[:, kept], bias[kept]])
    smaller = rebuilt(model, {"a": a, "b": Changed(weights=[last[kept], end])})
    wanted = _items(model) @ kernel[:, kept] @ last[kept]
    np.testing.assert_allclose(smaller(_items(model)), wanted, rtol=1e-5, atol=1e-6)


def test_a_model_without_a_graph_is_refused(keras: Any) -> None:
    with pytest.raises(InvalidFile, match=r"functional and Sequential.*keras\.Input"):
        rebuilt(keras.Sequential([keras.layers.Dense(3)]))
