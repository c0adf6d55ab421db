"""Pruned Keras files: counted from the file, and through to TFLite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.keras.files import load_keras, save_keras, tensorflow
from lab.options import validate
from lab.registry import technique
from tests import keras_networks, stored, tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that takes the tiny model's inputs and has a depthwise convolution, a residual and
    a concatenation.
    """
    tensorflow()
    import keras

    return save_keras(keras_networks.mixed(keras), tmp_path_factory.mktemp("mixed") / "mixed.keras")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_keras(tmp_path_factory.mktemp("small") / "small")


def _run(
    id_: str, source: Path, workdir: Path, notes: dict[str, Any] | None = None, **params: Any
) -> Path:
    return _with(tiny.context(workdir), id_, source, notes, **params)


def _with(
    context: Any, id_: str, source: Path, notes: dict[str, Any] | None = None, **params: Any
) -> Path:
    plug, kept = technique(id_), {} if notes is None else notes
    return plug.apply(
        source, validate(plug.options, params, id_), replace(context, note=kept.__setitem__)
    )


def _kernels(file: Path, kinds: tuple[str, ...] = ("Conv2D", "Dense")) -> dict[str, Any]:
    return {
        layer.name: layer.get_weights()[0]
        for layer in load_keras(file).layers
        if type(layer).__name__ in kinds
    }


def _share(kernels: dict[str, Any]) -> float:
    return sum((k == 0).sum() for k in kernels.values()) / sum(k.size for k in kernels.values())


@pytest.mark.parametrize("mode", ["global", "local"])
@pytest.mark.parametrize("ratio", [0.33, 0.8])
def test_sparsity_asked_is_sparsity_measured(
    mode: str, ratio: float, mixed: Path, tmp_path: Path
) -> None:
    notes: dict[str, Any] = {}
    before, after = (
        _kernels(mixed),
        _kernels(_run("keras_weight_pruning", mixed, tmp_path, notes, ratio=ratio, mode=mode)),
    )
    assert _share(after) == pytest.approx(ratio, abs=1e-3) == notes["pruning"]["sparsity"]
    for name, kernel in after.items():
        kept = kernel != 0
        assert (kernel[kept] == before[name][kept]).all()
        assert np.abs(before[name][~kept]).max(initial=0) <= np.abs(kernel[kept]).min(
            initial=np.inf
        )
    shares = [(kernel == 0).mean() for kernel in after.values()]
    assert bool(max(shares) - min(shares) < 0.02) == (mode == "local")


def test_other_weights_stay(mixed: Path, tmp_path: Path) -> None:
    after = load_keras(_run("keras_weight_pruning", mixed, tmp_path, ratio=0.9, keep=("a",)))
    for layer in load_keras(mixed).layers:
        for n, weight in enumerate(layer.get_weights()):
            pruned = n == 0 and type(layer).__name__ in ("Conv2D", "Dense") and layer.name != "a"
            assert (after.get_layer(layer.name).get_weights()[n] == weight).all() != pruned


@pytest.mark.parametrize(("mode", "stay", "of"), [("2:4", 2, 4), ("1:4", 1, 4), ("4:8", 4, 8)])
def test_every_group_of_neighbouring_inputs_keeps_n_of_m(
    mode: str, stay: int, of: int, mixed: Path, tmp_path: Path
) -> None:
    notes: dict[str, Any] = {}
    before, after = (
        _kernels(mixed),
        _kernels(_run("keras_weight_pruning", mixed, tmp_path, notes, mode=mode)),
    )
    fitting = [name for name, kernel in after.items() if kernel.shape[-2] % of == 0]
    assert len(fitting) >= 1
    assert notes["left dense"].startswith("a")
    for name in fitting:
        groups, old = (np.moveaxis(k[name], -2, -1).reshape(-1, of) for k in (after, before))
        assert ((groups != 0).sum(1) == stay).all()
        assert (
            np.sort(np.abs(groups), 1)[:, of - stay :] == np.sort(np.abs(old), 1)[:, of - stay :]
        ).all()
    assert all((after[name] == before[name]).all() for name in after if name not in fitting)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("mode", ["global", "2:4"])
def test_zeros_come_gradually_and_a_kill_changes_nothing(
    mode: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.compress.keras import sparsity as keras_sparsity
    from lab.finetuning import loop

    seen: list[float] = []
    masks = keras_sparsity.Pruner.masks
    monkeypatch.setattr(
        keras_sparsity.Pruner,
        "masks",
        lambda self, share=1.0: seen.append(share) or masks(self, share),
    )
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)
    params = {"mode": mode, "train_steps": 20, "batch_size": 16}
    whole = _run("keras_gradual_pruning", small, tmp_path / "whole", **params)
    kernels = {k: v for k, v in _kernels(whole).items() if k != "conv0" or mode == "global"}
    assert _share(kernels) == pytest.approx(0.8 if mode == "global" else 0.5, abs=1e-3)
    assert seen[:-1] == pytest.approx([1 - (1 - t / 12) ** 3 for t in range(1, 13)])
    assert len(load_keras(whole).variables) == len(
        load_keras(small).variables
    )  # the masks are not in the file

    def die(curve: dict[str, Any]) -> None:
        if curve["points"][-1]["step"] > 8:
            raise _Killed

    context = replace(tiny.context(tmp_path / "broken"), checkpoint=tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    with pytest.raises(_Killed):
        _with(replace(context, tell=die), "keras_gradual_pruning", small, **params)
    assert (
        _with(context, "keras_gradual_pruning", small, **params).read_bytes() == whole.read_bytes()
    )


def test_channels_go_step_by_step_to_the_same_widths(mixed: Path, tmp_path: Path) -> None:
    notes: dict[str, Any] = {}
    once = _run("keras_channel_pruning", mixed, tmp_path / "once", importance="taylor", round_to=1)
    params = {
        "importance": "taylor",
        "steps": 2,
        "steps_between": 4,
        "batch_size": 16,
        "round_to": 1,
    }
    steps = _run("keras_channel_pruning", mixed, tmp_path / "steps", notes, **params)
    shapes = [
        {name: kernel.shape for name, kernel in _kernels(file).items()} for file in (once, steps)
    ]
    assert (
        shapes[0]
        == shapes[1]
        == {
            "a": (3, 3, 3, 6),
            "b": (1, 1, 6, 6),
            "c": (3, 3, 6, 4),
            "e": (3, 3, 10, 4),
            "f": (64, 6),
            "g": (6, 5),
        }
    )
    assert notes["channels"] == {"a + b": "6 of 12", "c": "4 of 8", "e": "4 of 8", "f": "6 of 12"}
    assert {name for name in notes if name.startswith("training")} == {"training, step 1"}


def test_pruned_models_become_smaller_tflite_files(mixed: Path, tmp_path: Path) -> None:
    import keras

    pruned = _run("keras_channel_pruning", mixed, tmp_path / "pruned", round_to=1)
    file = tiny.apply("keras_to_tflite", pruned, tmp_path / "tflite")
    x = tiny.items(20)
    np.testing.assert_allclose(
        tiny.answers("litert", file, x), load_keras(pruned)(x), rtol=1e-4, atol=1e-4
    )
    sizes = [
        sum(w.values.size for w in stored.weights(f).values())
        for f in (file, tiny.apply("keras_to_tflite", mixed, tmp_path / "all"))
    ]
    assert sizes[0] < sizes[1] / 2.5
    static = tiny.apply("tflite_static_wi8_ai8", file, tmp_path / "static")
    assert (
        np.corrcoef(tiny.answers("litert", static, x).ravel(), np.ravel(load_keras(pruned)(x)))[
            0, 1
        ]
        > 0.98
    )
    assert keras.backend.floatx() == "float32"


def test_a_model_without_kernels_is_refused(tmp_path: Path) -> None:
    tensorflow()
    import keras

    x = keras.Input((8, 8, 3))
    source = save_keras(
        keras.Model(x, keras.layers.DepthwiseConv2D(3)(x)), tmp_path / "depthwise.keras"
    )
    with pytest.raises(InvalidFile, match="convolutions and dense layers"):
        _run("keras_weight_pruning", source, tmp_path / "out")
    with pytest.raises(InvalidFile, match="keras_weight_pruning"):
        _run("keras_channel_pruning", source, tmp_path / "out")
