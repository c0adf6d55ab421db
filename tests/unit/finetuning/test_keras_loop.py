from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.options import validate
from lab.plugs import TrainingSet
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a dropout, so that something is random in it."""
    from lab.formats.keras.files import load_keras

    folder = tmp_path_factory.mktemp("keras")
    plain = load_keras(tiny.write_keras(folder / "tiny"))
    import keras

    model = keras.Sequential(
        [
            keras.Input((tiny.SIDE, tiny.SIDE, tiny.CHANNELS)),
            *plain.layers[:-1],
            keras.layers.Dropout(0.2),
            plain.layers[-1],
        ]
    )
    model.save(folder / "dropping.keras")
    return folder / "dropping.keras"


def learnable(n: int = 512) -> TrainingSet:
    x = tiny.items(n, seed=3)
    y = (x.mean((1, 2, 3)) > 0).astype("int64") + 2 * (x.std((1, 2, 3)) > 1)
    return TrainingSet(x[: n // 2], y[: n // 2], x[n // 2 :], y[n // 2 :])


def tuned(source: Path, folder: Path, checkpoint: Path | None = None, **given: Any) -> Path:
    from lab.registry import technique

    plug = technique("keras_fine_tune")
    context = replace(tiny.context(folder), training=learnable, checkpoint=checkpoint)
    context = replace(context, card=replace(context.card, path=str(source)))
    given = {"train_steps": 12, "batch_size": 64, "learning_rate": 0.01, **given}
    return plug.apply(source, validate(plug.options, given, plug.id), context)


def right(file: Path) -> float:
    from lab.formats.keras.files import load_keras

    data = learnable()
    return float((np.asarray(load_keras(file)(data.x_check)).argmax(1) == data.y_check).mean())


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def test_it_learns(source: Path, tmp_path: Path) -> None:
    assert right(tuned(source, tmp_path / "a", train_steps=60)) > right(source) + 0.2


def test_same_seed_same_file_and_a_kill_changes_nothing(
    source: Path, tmp_path: Path, killed_after: Any
) -> None:
    whole = [
        digest(tuned(source, tmp_path / str(n), train_seed=seed))
        for n, seed in enumerate((0, 0, 1))
    ]
    assert whole[0] == whole[1] != whole[2]
    kept = tmp_path / "kept"
    kept.mkdir()
    with killed_after(5):
        tuned(source, tmp_path / "first", kept)
    assert digest(tuned(source, tmp_path / "second", kept)) == whole[0]


def test_zeros_stay_zero_and_layers_compute_as_before(source: Path, tmp_path: Path) -> None:
    from lab.formats.keras.files import load_keras

    model = load_keras(source)
    kernel = model.get_layer("conv0").kernel
    kernel.assign(kernel * (np.abs(kernel.numpy()) > 0.2))
    model.save(tmp_path / "sparse.keras")
    made = load_keras(
        tuned(tmp_path / "sparse.keras", tmp_path / "a", bf16=True, distillation=0.5, patience=2)
    )
    assert ((made.get_layer("conv0").kernel.numpy() == 0) == (kernel.numpy() == 0)).all()
    assert {layer.compute_dtype for layer in made.layers} == {"float32"}
