"""Which channels belong together: small networks with every kind of coupling, and torch-pruning's
own graph as the second opinion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.registry import sample_cards
from tests.channels import answers_with_zeros
from tests.unit.compress.torch.networks import networks

pytestmark = pytest.mark.slow
FLOAT32 = 2e-5


NAMES = (
    "grouped", "depthwise with two filters each", "parts joined and added to one",
    "dense connections", "channel shuffle", "gated", "unequal parts", "a part by its bounds",
    "squeeze and excitation", "learnt scales", "a layer used twice", "packed attention",
    "dense layers of tokens", "transposed convolution", "normalised in groups", "a slope each",
    "zeros as further channels", "attention of torch", "rolled channels",
)  # fmt: skip


def _modules(net: Any, x: Any) -> Any:
    import torch

    from lab.formats.torch_export.modules import as_modules

    return as_modules(
        torch.export.export(net.eval(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    )


def _made(name: str) -> tuple[Any, Any, tuple[str, ...]]:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(3)
        net, shape, fewer = networks()[name]
        for module in net.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                torch.nn.init.normal_(module.weight)
        return net, torch.randn(4, *shape), fewer


def _pruner(x: Any, attention: str = "heads", measure: str = "random", **more: Any) -> Any:
    from lab.compress.torch.channels.choosing import importances
    from lab.compress.torch.channels.pruning import Pruner

    return Pruner([x], lambda model, groups: importances(model, groups, measure), attention, **more)


@pytest.mark.parametrize(
    ("name", "attention"),
    [
        *((name, "heads") for name in NAMES),
        ("packed attention", "head_size"),
        ("attention of torch", "head_size"),
        ("channel shuffle", "head_size"),
        ("channel shuffle", "spare"),
    ],
)
def test_every_coupling_comes_out_as_if_the_channels_were_zero(name: str, attention: str) -> None:
    import torch

    from lab.compress.torch.channels.choosing import Aim

    net, x, fewer = _made(name)
    pruner = _pruner(x, attention)
    smaller = pruner.pruned(_modules(net, x), Aim(0.5))
    wanted, gone = answers_with_zeros(net, smaller.state_dict(), x)
    with torch.no_grad():
        answers = smaller(x)
    assert float((answers - wanted).abs().max()) <= FLOAT32 * float(wanted.abs().max())
    assert gone
    assert not pruner.faults
    if attention == "heads":
        assert {
            n
            for n in fewer
            if smaller.state_dict()[f"{n}.weight"].shape[0] < net.get_submodule(n).weight.shape[0]
        } == set(fewer)


def test_the_networks_are_all_tried() -> None:
    assert tuple(networks()) == NAMES


@pytest.mark.parametrize(
    "model_id",
    [
        "signs_resnet8",
        "signs_mobilenetv2",
        "signs_efficientnet_lite",
        "signs_mobilevit",
        "motion_transformer",
    ],
)
def test_torch_pruning_couples_the_same_layers(model_id: str) -> None:
    """Where it looks at the backward pass and this at the numbers; groups that a layer
    normalisation reads are spared here.
    """
    import torch
    import torch_pruning as tp

    from lab.compress.torch.channels.dependencies import trace
    from lab.compress.torch.channels.groups import removable_groups
    from lab.formats.torch_export.modules import as_modules

    program = torch.export.load(sample_cards()[model_id].path)
    model, x = as_modules(program), program.example_inputs[0][0]
    mine = {
        frozenset(layer for layer, _ in group.members)
        for group in removable_groups(trace(model, x, "heads"))
    }
    graph = tp.DependencyGraph().build_dependency(model, x, verbose=False)
    theirs = set()
    for group in graph.get_all_groups():
        modules = [dep.target.module for dep, _ in group]
        names = frozenset(
            n for n, module in model.named_modules() if any(m is module for m in modules)
        )
        if len(names) > 1 and not any(isinstance(m, torch.nn.LayerNorm) for m in modules):
            theirs.add(names)
    assert mine == theirs
    assert len(mine) >= 6


def test_what_does_not_answer_as_it_should_is_spared_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule that is wrong: channels that move on by one taken for an operation on each by
    itself.
    """
    from lab.compress.torch.channels import rules
    from lab.compress.torch.channels.choosing import Aim

    monkeypatch.setattr(rules, "POINTWISE", {*rules.POINTWISE, "roll"})
    net, x, _ = _made("rolled channels")
    pruner = _pruner(x)
    state = pruner.pruned(_modules(net, x), Aim(0.5)).state_dict()
    assert set(pruner.faults) == {"a"}
    assert state["a.weight"].shape[0] == 8
    assert state["b.weight"].shape[0] == 4


def test_sizes_that_do_not_fit_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.compress.torch.channels import cutting
    from lab.compress.torch.channels.choosing import Aim

    monkeypatch.setattr(cutting, "_SIZES", {})
    net, x, _ = _made("packed attention")
    with pytest.raises(InvalidFile, match="qkv: without them"):
        _pruner(x).pruned(_modules(net, x), Aim(0.5))


def test_attention_is_spared_when_asked() -> None:
    from lab.compress.torch.channels.choosing import Aim

    net, x, _ = _made("packed attention")
    with pytest.raises(InvalidFile, match="spreads them over several axes"):
        _pruner(x, "spare").pruned(_modules(net, x), Aim(0.5))


def test_coupled_ids_have_one_representative_and_remember_why_they_must_stay() -> None:
    from lab.compress.torch.channels.groups import ChannelIds

    ids = ChannelIds()
    a, b, c = (ids.new(3) for _ in range(3))
    ids.couple(a, b, "joined")
    ids.protect(b[:1], "asked for")
    ids.couple(c, a, "meets what stays")
    assert ids.representatives(c).tolist() == [0, 2, 3]
    assert [ids.reason(int(channel)) for channel in (*a, c[0])] == [
        "asked for",
        "",
        "",
        "meets what stays",
    ]


def test_a_layer_as_narrow_as_one_head_keeps_it() -> None:
    """However much is asked to go, every layer keeps something."""
    from lab.compress.torch.channels.choosing import Aim

    net, x, _ = _made("packed attention")
    assert _pruner(x).pruned(_modules(net, x), Aim(0.95)).state_dict()["qkv.weight"].shape[0] == 18


def test_heads_are_ranked_by_all_of_their_channels() -> None:
    import torch

    from lab.compress.torch.channels.choosing import Aim

    net, x, _ = _made("packed attention")
    with torch.no_grad():
        net.qkv.weight.reshape(3, 4, 6, 7)[:, [0, 2]] *= 0.1
        net.out.weight.reshape(4, 4, 6)[:, [0, 2]] *= 0.1
    state = _pruner(x, measure="l2").pruned(_modules(net, x), Aim(0.5)).state_dict()
    kept = net.qkv.weight.detach().reshape(3, 4, 6, 7)[:, [1, 3]].reshape(36, 7)
    assert np.array_equal(state["qkv.weight"].numpy(), kept.numpy())
