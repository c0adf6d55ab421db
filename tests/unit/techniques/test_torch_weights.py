"""Pruned, clustered and factorized PyTorch models, counted in the ONNX file that is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from tests import tiny

pytestmark = pytest.mark.slow
CONV, DENSE = 16 * 3 * 3 * 3, 5 * 16


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_torch_export(tmp_path_factory.mktemp("torch") / "tiny.pt2")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dense layers and a 1×1 convolution whose inputs four divides; free batch axis."""
    import torch

    n = torch.nn
    torch.manual_seed(0)
    model = n.Sequential(
        n.Conv2d(3, 16, 1),
        n.ReLU(),
        n.Conv2d(16, 24, 3, stride=2, padding=1),
        n.ReLU(),
        n.AdaptiveAvgPool2d(1),
        n.Flatten(),
        n.Linear(24, 40),
        n.ReLU(),
        n.Linear(40, 5),
    ).eval()
    path = tmp_path_factory.mktemp("wide") / "wide.pt2"
    x = torch.zeros(2, tiny.CHANNELS, tiny.SIDE, tiny.SIDE)
    torch.export.save(
        torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)), path
    )
    return path


def _deployed(file: Path, folder: Path) -> dict[int, Any]:
    """Size -> the weights of two axes or more in the ONNX file that is made of a program."""
    import onnx

    folder.mkdir()
    model = onnx.load(tiny.apply("torch_to_onnx", file, folder))
    return {
        w.size: w for t in model.graph.initializer if (w := onnx.numpy_helper.to_array(t)).ndim > 1
    }


@pytest.mark.parametrize(
    ("technique", "more"),
    [
        ("torch_weight_pruning", {}),
        ("torch_gradual_pruning", {"train_steps": 6, "batch_size": 16}),
    ],
)
@pytest.mark.parametrize(("mode", "ratio"), [("global", 0.5), ("global", 0.83), ("local", 0.7)])
def test_sparsity_in_the_file_is_what_was_asked(
    technique: str, more: dict[str, Any], mode: str, ratio: float, source: Path, tmp_path: Path
) -> None:
    made = tiny.apply(technique, source, tmp_path / "a", mode=mode, ratio=ratio, **more)
    weights = _deployed(made, tmp_path / "onnx")
    zeros = {size: int((w == 0).sum()) for size, w in weights.items()}
    assert set(weights) == {CONV, DENSE}
    assert sum(zeros.values()) == pytest.approx(
        ratio * (CONV + DENSE), abs=2 if mode == "local" else 1
    )
    if mode == "local":
        assert zeros == {
            CONV: pytest.approx(ratio * CONV, abs=1),
            DENSE: pytest.approx(ratio * DENSE, abs=1),
        }


def test_learnt_masks_reach_the_sparsity_that_was_asked(source: Path, tmp_path: Path) -> None:
    more = {"mode": "regularization", "ratio": 0.6, "train_steps": 6, "batch_size": 16}
    made = tiny.apply("torch_gradual_pruning", source, tmp_path / "a", **more)
    assert sum((w == 0).sum() for w in _deployed(made, tmp_path / "onnx").values()) == round(
        0.6 * (CONV + DENSE)
    )


def test_the_largest_weights_of_a_layer_stay_as_they_are(source: Path, tmp_path: Path) -> None:
    import torch

    made = tiny.apply("torch_weight_pruning", source, tmp_path, mode="local", ratio=0.5)
    before, after = (
        torch.export.load(f).state_dict["5.weight"].detach().numpy().ravel() for f in (source, made)
    )
    stays = np.argsort(np.abs(before))[DENSE // 2 :]
    assert (after[stays] == before[stays]).all()
    assert np.count_nonzero(after) == DENSE // 2


@pytest.mark.parametrize(("pattern", "stay", "of"), [("2:4", 2, 4), ("1:4", 1, 4), ("4:8", 4, 8)])
def test_every_group_along_the_inputs_keeps_so_many(
    pattern: str, stay: int, of: int, wide: Path, tmp_path: Path
) -> None:
    made = tiny.apply("torch_weight_pruning", wide, tmp_path / "a", mode=pattern)
    weights = _deployed(made, tmp_path / "onnx")
    assert np.count_nonzero(weights[3 * 16]) == 3 * 16  # three inputs make no group
    for size in (24 * 16 * 9, 40 * 24, 5 * 40):
        w = weights[size] if weights[size].shape[0] in (24, 40, 5) else weights[size].T
        groups = np.moveaxis(w, 1, -1).reshape(-1, of)
        assert (np.count_nonzero(groups, axis=1) == stay).all()


def test_spared_layers_are_left(source: Path, tmp_path: Path) -> None:
    made = tiny.apply("torch_weight_pruning", source, tmp_path / "a", ratio=0.8, keep=("5",))
    weights = _deployed(made, tmp_path / "onnx")
    assert np.count_nonzero(weights[DENSE]) == DENSE
    assert (weights[CONV] == 0).sum() == pytest.approx(0.8 * CONV, abs=1)


@pytest.mark.parametrize(
    ("technique", "params"),
    [
        ("torch_weight_pruning", {}),
        ("torch_weight_clustering", {}),
        ("torch_low_rank", {}),
    ],
)
def test_layers_that_are_not_there_are_refused(
    technique: str, params: dict[str, Any], source: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOption, match="does not have"):
        tiny.apply(technique, source, tmp_path, keep=("none",), **params)


def test_nothing_to_prune_is_refused_with_words(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="No layer"):
        tiny.apply("torch_weight_pruning", source, tmp_path, keep=("0", "5"))
    with pytest.raises(InvalidFile, match="gets smaller"):
        tiny.apply("torch_low_rank", source, tmp_path, keep=("0", "5"))


@pytest.mark.parametrize(("clusters", "scope"), [(8, "tensor"), (4, "channel")])
def test_the_deployed_weights_take_so_few_values(
    clusters: int, scope: str, source: Path, tmp_path: Path
) -> None:
    made = tiny.apply(
        "torch_weight_clustering", source, tmp_path / "a", clusters=clusters, scope=scope
    )
    conv = _deployed(made, tmp_path / "onnx")[CONV]
    parts = [conv] if scope == "tensor" else list(conv)
    assert max(len(np.unique(part)) for part in parts) == clusters


def test_two_layers_answer_as_their_product_does(wide: Path, tmp_path: Path) -> None:
    """The factorized program against the whole one with its weights exchanged for the best matrices
    of that rank.
    """
    import torch

    made = tiny.apply("torch_low_rank", wide, tmp_path, share=0.5)
    low, whole = torch.export.load(made), torch.export.load(wide)
    for name, weight in whole.state_dict.items():
        first = low.state_dict.get(name.replace(".weight", ".0.weight"))
        if name.endswith(".weight") and first is not None:
            u, s, v = torch.linalg.svd(weight.detach().flatten(1), full_matrices=False)
            rank = len(first)
            weight.data.copy_((u[:, :rank] * s[:rank] @ v[:rank]).reshape(weight.shape))
    x = torch.from_numpy(tiny.items(20, channels_first=True))
    assert torch.allclose(low.module()(x), whole.module()(x), atol=1e-5)
    kept, all_ = (
        sum(w.numel() for w in p.state_dict.values() if w.ndim > 1)
        for p in (low, torch.export.load(wide))
    )
    assert 0.4 < kept / all_ <= 0.5
