"""A model without some channels answers as the whole one does when these channels are zero wherever
they occur.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.compress.keras.channels import Channels, channels
from lab.compress.keras.importance import importances, pruned
from lab.errors import InvalidFile, InvalidOption
from lab.formats.keras.files import load_keras, tensorflow
from tests.keras_networks import NETWORKS, items

pytestmark = pytest.mark.slow
MODELS = Path(__file__).resolve().parents[4] / "sample_models" / "weights"
SAMPLES = ("digits_lenet", "keywords_dscnn", "machine_autoencoder")
MEASURES = ("l1", "l2", "bn_scale", "taylor", "random")


@pytest.fixture(scope="module")
def keras() -> Any:
    tensorflow()
    import keras

    return keras


def _model(name: str, keras: Any) -> Any:
    return load_keras(MODELS / f"{name}.keras") if name in SAMPLES else NETWORKS[name](keras)


def _answers(model: Any, x: Any) -> Any:
    return np.concatenate([np.asarray(part) for part in _listed(model(x))], 1)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _slopes(model: Any) -> dict[str, list[Any]]:
    rng = np.random.default_rng(3)
    return {
        layer.name: [rng.normal(size=w.shape) for w in layer.get_weights()]
        for layer in model.layers
    }


def _gone(
    found: Channels, measure: str, ratio: float, scope: str = "per_layer", round_to: int = 1
) -> list[int]:
    importance = importances(found, measure, 1, _slopes(found.model))
    return pruned(
        found, importance, [len(units) for units in found.groups.values()], ratio, scope, round_to
    )


@pytest.mark.parametrize("name", [*SAMPLES, *NETWORKS])
def test_it_answers_like_the_whole_model_with_zeros(name: str, keras: Any) -> None:
    model = _model(name, keras)
    x, found, rng = items(model), channels(model), np.random.default_rng(0)
    for measure in MEASURES:
        gone = _gone(
            found,
            measure,
            rng.uniform(0.1, 0.9),
            rng.choice(["per_layer", "global"]),
            int(rng.choice([1, 2, 4])),
        )
        smaller = found.without(gone)
        wanted = _answers(found.zeroed(gone), x)
        assert gone
        assert smaller.count_params() < model.count_params()
        np.testing.assert_allclose(
            _answers(smaller, x), wanted, rtol=1e-4, atol=1e-5 * max(1, np.abs(wanted).max())
        )


@pytest.mark.parametrize("name", [*SAMPLES, *NETWORKS])
def test_nothing_gone_changes_nothing(name: str, keras: Any) -> None:
    model = _model(name, keras)
    assert (
        _answers(channels(model).without([]), items(model)) == _answers(model, items(model))
    ).all()


def test_what_belongs_together_is_found(keras: Any) -> None:
    groups = {
        name: {k: len(v) for k, v in channels(build(keras)).groups.items()}
        for name, build in NETWORKS.items()
    }
    assert groups["mixed"] == {("a", "b"): 12, ("c",): 8, ("e",): 8, ("f",): 12}
    assert groups["excited"] == {("a", "t"): 8, ("s",): 4, ("p",): 12, ("u",): 6}
    # three groups of 4 tie every fourth channel together, two groups of 6 every sixth: two units
    # are left
    assert groups["grouped"] == {("a", "b"): 2, ("c", "e"): 8}
    assert groups["sequence"] == {("v",): 8, ("a", "b"): 12, ("twice",): 9, ("up",): 16}


def test_what_spares_channels_is_named(keras: Any) -> None:
    spared = channels(NETWORKS["sequence"](keras)).coupling.protected_by
    assert spared == ["LayerNormalization 'n'", "GRU 'q'"]


def test_layers_that_are_kept_are_kept_whole(keras: Any) -> None:
    model = NETWORKS["mixed"](keras)
    assert set(channels(model, ["b", "f"]).groups) == {("c",), ("e",)}
    with pytest.raises(InvalidOption, match="Did you mean 'na'"):
        channels(model, ["naa"])


def test_a_model_without_channels_to_spare_is_refused(keras: Any) -> None:
    x = keras.Input((4,))
    found = channels(keras.Model(x, keras.layers.Dense(3)(x)))
    with pytest.raises(InvalidFile, match="keras_weight_pruning"):
        _gone(found, "l2", 0.5)


@pytest.mark.parametrize("ratio", [0.5, 0.8])
def test_the_ratio_is_kept(ratio: float, keras: Any) -> None:
    found = channels(_model("machine_autoencoder", keras))
    total = sum(map(len, found.groups.values()))
    for scope in ("per_layer", "global"):
        assert len(_gone(found, "l2", ratio, scope)) == pytest.approx(ratio * total, abs=5)
    widths = {
        layer.units
        for layer in found.without(_gone(found, "l1", ratio, "global", 8)).layers
        if hasattr(layer, "units")
    }
    assert all(width % 8 == 0 for width in widths)
    assert len(widths) > 2
