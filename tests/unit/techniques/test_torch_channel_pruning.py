"""Channel pruning of PyTorch programs, against the networks as written with the pruned channels
zeroed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.options import validate
from lab.registry import sample_cards, technique
from tests import tiny
from tests.channels import ARCHITECTURES, answers_with_zeros, context_for, network

pytestmark = pytest.mark.slow
ID = "torch_channel_pruning"
FLOAT32 = 2e-5
CHOICES: dict[str, Any] = {"attention": ("heads", "head_size", "spare"), "round_to": (1, 4, 8)}


def _prune(
    model_id: str, workdir: Path, notes: dict[str, Any] | None = None, **params: Any
) -> Path:
    plug = technique(ID)
    context = context_for(model_id, workdir, {} if notes is None else notes)
    return plug.apply(
        Path(sample_cards()[model_id].path), validate(plug.options, params, ID), context
    )


def _program(file: Path) -> Any:
    import torch

    with file.open("rb") as opened:
        return torch.export.load(opened)


@cache
def _modules(model_id: str) -> Any:
    """A sample model as the lab prunes it. Nothing changes it: pruning makes a smaller one."""
    from lab.formats.torch_export.modules import as_modules

    return as_modules(_program(Path(sample_cards()[model_id].path)))


def _pruned(model_id: str, x: Any, measure: str, attention: str, aim: Any) -> Any:
    """What the lab makes of it in memory, with no layer that answers differently."""
    import torch

    from lab.compress.torch.channels.choosing import importances
    from lab.compress.torch.channels.pruning import Pruner

    pruner = Pruner(
        [torch.from_numpy(x)],
        lambda model, groups: importances(model, groups, measure),
        attention,
    )
    smaller = pruner.pruned(_modules(model_id), aim)
    assert not pruner.faults
    return smaller


def _compare(model_id: str, program: Any, module: Any, x: Any) -> int:
    """Assert that a pruned model answers as the original with zeros; gives how many channels are
    gone.
    """
    import torch

    wanted, gone = answers_with_zeros(network(model_id), program.state_dict, torch.from_numpy(x))
    with torch.no_grad():
        answers = module(torch.from_numpy(x))
    assert float((answers - wanted).abs().max()) <= FLOAT32 * float(wanted.abs().max())
    return gone


@pytest.mark.parametrize("model_id", ARCHITECTURES)
def test_a_pruned_file_answers_as_the_original_with_the_channels_zeroed(
    model_id: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(ARCHITECTURES.index(model_id))
    ratio, attention = float(rng.uniform(0.2, 0.8)), CHOICES["attention"][rng.integers(2)]
    file = _prune(model_id, tmp_path, importance="taylor", ratio=ratio, attention=attention)
    program, x = _program(file), context_for(model_id, tmp_path, {}).calibration(9)
    assert _compare(model_id, program, program.module(), x) > 0
    assert file.stat().st_size < Path(sample_cards()[model_id].path).stat().st_size


@pytest.mark.parametrize("scope", ["per_layer", "global"])
@pytest.mark.parametrize("model_id", ARCHITECTURES)
def test_whatever_is_chosen_pruning_equals_zeroing(
    model_id: str, scope: str, tmp_path: Path
) -> None:
    """In memory, for random ratios, with every measure."""
    from lab.compress.torch.channels.choosing import Aim

    x = context_for(model_id, tmp_path, {}).calibration(5)
    rng = np.random.default_rng([ARCHITECTURES.index(model_id), scope == "global"])
    for measure in ("l1", "l2", "bn_scale", "random"):
        attention, round_to = (CHOICES[name][rng.integers(3)] for name in ("attention", "round_to"))
        aim = Aim(float(rng.uniform(0.1, 0.95)), scope, round_to)
        smaller = _pruned(model_id, x, measure, attention, aim)
        assert _compare(model_id, SimpleNamespace(state_dict=smaller.state_dict()), smaller, x) > 0


@pytest.mark.parametrize("model_id", ARCHITECTURES)
def test_the_share_of_channels_that_was_asked_for_is_gone(model_id: str, tmp_path: Path) -> None:
    """Every layer of a group loses the share, to the half channel; heads are four, of which two
    go.
    """
    from lab.compress.torch.channels.choosing import Aim

    x = context_for(model_id, tmp_path, {}).calibration(5)
    half = _pruned(model_id, x, "l2", "heads", Aim(0.5, "per_layer", 1)).state_dict()
    whole = network(model_id).state_dict()
    changed = {n: (half[n].shape, whole[n].shape) for n in whole if half[n].shape != whole[n].shape}
    assert changed
    for small, large in changed.values():
        assert all(a == b or a == b / 2 for a, b in zip(small, large, strict=True))


def test_all_widths_of_a_residual_network_are_halved_and_its_outputs_are_not(
    tmp_path: Path,
) -> None:
    half = {
        n: tuple(t.shape)
        for n, t in _program(_prune("signs_resnet8", tmp_path, ratio=0.5)).state_dict.items()
    }
    assert half["stem.0.weight"] == (8, 3, 3, 3)
    assert half["blocks.0.conv1.weight"] == (8, 8, 3, 3)
    assert half["blocks.2.around.weight"] == (32, 16, 1, 1)
    assert half["head.weight"] == (24, 32)


def test_ranking_everything_together_removes_the_same_share_in_all_but_not_in_each(
    tmp_path: Path,
) -> None:
    notes: dict[str, Any] = {}
    _prune(
        "signs_mobilenetv2", tmp_path, notes, ratio=0.5, scope="global", round_to=1, importance="l2"
    )
    kept, whole = zip(
        *(map(int, words.split(" of ")) for words in notes["channels"].values()), strict=True
    )
    shares = [now / before for now, before in zip(kept, whole, strict=True)]
    assert len(shares) == sum(
        tensor.ndim == 4 for tensor in network("signs_mobilenetv2").state_dict().values()
    )
    assert sum(kept) / sum(whole) == pytest.approx(0.5, abs=0.01)
    assert max(shares) - min(shares) > 0.2
    assert min(shares) >= 0.09


def test_spared_layers_keep_their_channels_and_all_that_are_coupled_with_them(
    tmp_path: Path,
) -> None:
    notes: dict[str, Any] = {}
    state = _program(
        _prune(
            "signs_resnet8", tmp_path, notes, ratio=0.5, keep=["blocks.0.conv2", "blocks.1.conv1"]
        )
    ).state_dict
    assert state["stem.0.weight"].shape[0] == state["blocks.0.conv2.weight"].shape[0] == 16
    assert state["blocks.1.conv1.weight"].shape[:2] == (32, 16)
    assert state["blocks.0.conv1.weight"].shape[0] == 8
    assert "blocks.1.conv1" in notes["spared"]


def test_a_layer_that_is_not_there_cannot_be_spared(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"stem\.0"):
        _prune("signs_resnet8", tmp_path, keep=["stem"])


def test_widths_are_rounded_to_what_kernels_like(tmp_path: Path) -> None:
    state = _program(_prune("signs_mobilenetv2", tmp_path, ratio=0.4, round_to=8)).state_dict
    made = {n: t.shape[0] for n, t in state.items() if t.ndim == 4}
    assert made["features.4.layers.0.weight"] == 56  # 0.6 * 96 = 57.6
    assert all(n % 8 == 0 for n in made.values())


def test_a_gated_recurrent_unit_loses_its_state_and_both_gates_alike(tmp_path: Path) -> None:
    state = {
        n: tuple(t.shape)
        for n, t in _program(_prune("keywords_gru", tmp_path, ratio=0.75)).state_dict.items()
    }
    assert state["gru.gates.weight"] == (64, 32)
    assert state["gru.state.weight"] == (32, 32)
    assert state["gru.input_gates.weight"] == (64, 16)
    assert state["head.weight"] == (12, 32)


@pytest.mark.parametrize(("attention", "query"), [("heads", 32), ("head_size", 32), ("spare", 64)])
def test_attention_heads_and_hidden_widths_go_where_they_may(
    attention: str, query: int, tmp_path: Path
) -> None:
    file = _prune("motion_transformer", tmp_path, ratio=0.5, attention=attention)
    state = {n: tuple(t.shape) for n, t in _program(file).state_dict.items()}
    for part in ("query", "key", "value"):
        assert state[f"blocks.1.attention.{part}.weight"] == (query, 64)
    assert state["blocks.1.attention.out.weight"] == (64, query)
    assert state["blocks.1.dense.0.weight"] == (64, 64)
    heads = {
        tuple(n.args[1])
        for n in _program(file).graph.nodes
        if "view" in str(n.target) or "reshape" in str(n.target)
    }
    assert {"heads": 2, "head_size": 4, "spare": 4}[attention] in {
        s[2] for s in heads if len(s) == 4
    }


def test_the_same_parameters_give_the_same_tensors(tmp_path: Path) -> None:
    import torch

    once, twice = (
        _program(_prune("motion_transformer", tmp_path / n, importance="random", scope="global"))
        for n in "ab"
    )
    assert once.state_dict.keys() == twice.state_dict.keys()
    assert all(
        torch.equal(tensor, twice.state_dict[name]) for name, tensor in once.state_dict.items()
    )


def test_what_is_removed_is_least_important(tmp_path: Path) -> None:
    """Of a layer that is coupled with nothing else, by the formula: what it makes, its scale and
    what reads it.
    """
    model = network("signs_resnet8").state_dict()
    made, read = model["blocks.1.conv1.weight"].abs(), model["blocks.1.conv2.weight"].abs()
    sums = made.sum((1, 2, 3)) + read.sum((0, 2, 3)) + model["blocks.1.norm1.weight"].abs()
    state = _program(_prune("signs_resnet8", tmp_path, ratio=0.5, importance="l1")).state_dict
    expected = model["blocks.1.norm1.running_mean"][sums.argsort(descending=True)[:16]]
    assert set(state["blocks.1.norm1.running_mean"].tolist()) == set(expected.tolist())


def test_batch_normalisation_scales_tell_what_goes_when_asked(tmp_path: Path) -> None:
    model = network("signs_resnet8").state_dict()["blocks.2.norm1.weight"].abs()
    state = _program(_prune("signs_resnet8", tmp_path, ratio=0.5, importance="bn_scale")).state_dict
    assert set(state["blocks.2.norm1.weight"].abs().tolist()) == set(
        model.sort(descending=True).values[:32].tolist()
    )


def test_pruning_in_steps_trains_between_them_and_ends_as_narrow(tmp_path: Path) -> None:
    notes: dict[str, Any] = {}
    once = _program(_prune("motion_transformer", tmp_path / "once", ratio=0.6)).state_dict
    steps = _program(
        _prune("motion_transformer", tmp_path / "steps", notes, ratio=0.6, steps=3, steps_between=2)
    ).state_dict
    assert {n: t.shape for n, t in once.items()} == {n: t.shape for n, t in steps.items()}
    assert [name for name in notes if name.startswith("training")] == [
        "training, step 1",
        "training, step 2",
    ]
    assert not (once["head.bias"] == steps["head.bias"]).any()


def test_a_model_without_channels_to_spare_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="outputs") as caught:
        tiny.apply(ID, tiny.write_torch_export(tmp_path / "tiny.pt2"), tmp_path, keep=["0"])
    assert "Spare fewer layers" in str(caught.value)


@pytest.mark.parametrize("batch", [None, 4])
def test_the_tiny_model_is_halved(batch: int | None, tmp_path: Path) -> None:
    source = tiny.write_torch_export(tmp_path / "tiny.pt2", batch)
    state = _program(tiny.apply(ID, source, tmp_path)).state_dict
    assert state["0.weight"].shape == (8, 3, 3, 3)
    assert state["5.weight"].shape == (5, 8)


@pytest.fixture(scope="module")
def pruned_files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Model and attention -> its pruned file, made once for all conversions."""

    @cache
    def file(model_id: str, attention: str) -> Path:
        return _prune(model_id, tmp_path_factory.mktemp(model_id), ratio=0.6, attention=attention)

    return file


@pytest.mark.parametrize(
    ("model_id", "attention"),
    [("motion_transformer", "head_size"), ("signs_mobilevit", "heads"), ("keywords_gru", "heads")],
)
@pytest.mark.parametrize(
    ("conversion", "runtime"), [("torch_to_onnx", "ort"), ("torch_to_tflite", "litert")]
)
def test_pruned_programs_convert_and_answer_alike(
    model_id: str,
    attention: str,
    conversion: str,
    runtime: str,
    pruned_files: Callable[[str, str], Path],
    tmp_path: Path,
) -> None:
    import torch

    file, context = (
        pruned_files(model_id, attention),
        context_for(model_id, tmp_path / "converted", {}),
    )
    converted = technique(conversion).apply(file, {}, context)
    x = context.calibration(6)
    with torch.no_grad():
        wanted = _program(file).module()(torch.from_numpy(x)).numpy()
    assert np.allclose(
        tiny.answers(runtime, converted, x), wanted, atol=1e-3 * np.abs(wanted).max()
    )
