from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.finetuning.options import TRAINING
from lab.options import validate
from lab.plugs import TrainingSet
from tests import tiny

pytestmark = pytest.mark.slow


def params(**given: Any) -> dict[str, Any]:
    return validate(
        TRAINING, {"train_steps": 12, "batch_size": 64, "learning_rate": 0.01, **given}, "test"
    )


def learnable(n: int = 512) -> TrainingSet:
    """Images whose class is told by the file's own answers, so that they can be learnt."""
    x = tiny.items(n, seed=3, channels_first=True)
    y = (x.mean((1, 2, 3)) > 0).astype("int64") + 2 * (x.std((1, 2, 3)) > 1)
    return TrainingSet(x[: n // 2], y[: n // 2], x[n // 2 :], y[n // 2 :])


def tuned(
    source: Path,
    folder: Path,
    data: TrainingSet | None = None,
    checkpoint: Path | None = None,
    **given: Any,
) -> Path:
    from lab.registry import technique

    plug = technique("torch_fine_tune")
    context = replace(
        tiny.context(folder, channels_first=True),
        training=lambda: data or learnable(),
        checkpoint=checkpoint,
    )
    context = replace(context, card=replace(context.card, path=str(source), format="torch_export"))
    given = {"train_steps": 12, "batch_size": 64, "learning_rate": 0.01, **given}
    return plug.apply(source, validate(plug.options, given, plug.id), context)


def weights(file: Path) -> dict[str, Any]:
    from lab.formats.torch_export.files import load_program

    return {name: tensor.detach().numpy() for name, tensor in load_program(file).state_dict.items()}


def test_it_learns_and_the_graph_stays(tiny_torch: Path, tmp_path: Path) -> None:
    from lab.formats.torch_export.layers import layers

    data = learnable()
    made = tuned(tiny_torch, tmp_path / "a", data, train_steps=60)
    right = [
        (tiny.answers("pytorch", file, data.x_check).argmax(1) == data.y_check).mean()
        for file in (tiny_torch, made)
    ]
    assert right[1] > right[0] + 0.2
    assert [(row.name, row.type) for row in layers(made)] == [
        (row.name, row.type) for row in layers(tiny_torch)
    ]


def test_same_seed_same_file_another_seed_another_one(tiny_torch: Path, tmp_path: Path) -> None:
    made = [
        tuned(tiny_torch, tmp_path / str(n), train_seed=seed) for n, seed in enumerate((0, 0, 1))
    ]
    digests = [sha256(file.read_bytes()).hexdigest() for file in made]
    assert digests[0] == digests[1] != digests[2]


def test_killed_and_resumed_comes_to_the_same(
    tiny_torch: Path, tmp_path: Path, killed_after: Any
) -> None:
    whole, kept = tuned(tiny_torch, tmp_path / "whole"), tmp_path / "kept"
    kept.mkdir()
    with killed_after(5):
        tuned(tiny_torch, tmp_path / "first", checkpoint=kept)
    assert (
        tuned(tiny_torch, tmp_path / "second", checkpoint=kept).read_bytes() == whole.read_bytes()
    )


def test_zeros_stay_zero_where_they_are_to(tiny_torch: Path, tmp_path: Path) -> None:
    import torch

    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    program = load_program(tiny_torch)
    model = as_modules(program)
    with torch.no_grad():
        for layer in (model.get_submodule("0"), model.get_submodule("5")):
            layer.weight[layer.weight.abs() < layer.weight.abs().median()] = 0
    source = save_modules(model, program, tmp_path / "sparse.pt2")
    kept, refilled = (
        weights(tuned(source, tmp_path / str(keep), keep_zeros=keep)) for keep in (True, False)
    )
    before = weights(source)
    for name in ("0.weight", "5.weight"):
        assert ((kept[name] == 0) == (before[name] == 0)).all()
        assert (refilled[name] == 0).mean() < 0.1


def test_distillation_learns_the_float_models_answers(tiny_torch: Path, tmp_path: Path) -> None:
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    program = load_program(tiny_torch)
    model = as_modules(program)
    model.get_submodule("5").weight.data.mul_(-1)
    spoilt = save_modules(model, program, tmp_path / "spoilt.pt2")
    data = learnable()
    teacher = tiny.answers("pytorch", tiny_torch, data.x_check)

    def taught(share: float) -> float:
        from lab.registry import technique

        plug = technique("torch_fine_tune")
        context = replace(tiny.context(tmp_path / str(share)), training=lambda: data)
        context = replace(context, card=replace(context.card, path=str(tiny_torch)))
        given = {"train_steps": 80, "batch_size": 64, "learning_rate": 0.02, "distillation": share}
        file = plug.apply(spoilt, validate(plug.options, given, plug.id), context)
        return float(
            (tiny.answers("pytorch", file, data.x_check).argmax(1) == teacher.argmax(1)).mean()
        )

    assert taught(1.0) > taught(0.0) + 0.2


def test_the_distance_is_the_kullback_leibler_divergence_of_softened_answers() -> None:
    import torch
    from scipy.special import rel_entr, softmax

    from lab.finetuning.torch_loop import _Learner

    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 6, 4)).astype("float32")
    learner: Any = object.__new__(_Learner)
    learner.params, learner.data, learner.shares = params(temperature=3.0), learnable(8), False
    found = float(learner._distance(torch.from_numpy(student), torch.from_numpy(teacher)))
    expected = (
        9 * rel_entr(softmax(teacher / 3, axis=1), softmax(student / 3, axis=1)).sum(1).mean()
    )
    assert found == pytest.approx(expected, rel=1e-4)


def test_what_an_augmentation_leaves_off_is_filled_up(tiny_torch: Path, tmp_path: Path) -> None:
    data = replace(learnable(), augment=lambda x: x[:, :, :, :6])
    assert tuned(tiny_torch, tmp_path / "a", data).exists()


def test_bf16_trains_and_keeps_float_weights(tiny_torch: Path, tmp_path: Path) -> None:
    made = weights(tuned(tiny_torch, tmp_path / "a", bf16=True))
    assert {a.dtype for name, a in made.items() if "num_batches" not in name} == {
        np.dtype("float32")
    }
