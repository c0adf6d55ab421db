"""The same network in PyTorch, pruned by torch-pruning, keeps the same channels and gives the same
answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.compress.keras.channels import channels
from lab.compress.keras.importance import importances, pruned
from lab.formats.keras.files import tensorflow
from tests.keras_networks import items, mixed

pytestmark = pytest.mark.slow


def _twin(model: Any) -> Any:
    """The network `mixed` as a torch module with the weights of a Keras model of it."""
    import torch
    from torch import nn

    class Twin(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.na = nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12, eps=1e-3)
            self.d, self.nd = (
                nn.Conv2d(12, 12, 3, padding=1, groups=12),
                nn.BatchNorm2d(12, eps=1e-3),
            )
            self.b, self.c, self.e = (
                nn.Conv2d(12, 12, 1),
                nn.Conv2d(12, 8, 3, padding=1),
                nn.Conv2d(20, 8, 3, padding=1),
            )
            self.f, self.g = nn.Linear(128, 12), nn.Linear(12, 5)

        def forward(self, x: Any) -> Any:
            a = self.na(self.a(x)).relu()
            r = (a + self.b(self.nd(self.d(a)).relu())).relu()
            e = nn.functional.max_pool2d(self.e(torch.cat([r, self.c(r).relu()], 1)).relu(), 2)
            return self.g(self.f(e.flatten(1)).relu())

    twin = Twin().eval()
    for name, module in twin.named_children():
        for target, value in zip(
            _parameters(module), _as_torch(model.get_layer(name)), strict=True
        ):
            target.data.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return twin


def _parameters(module: Any) -> list[Any]:
    return [
        value for name, value in module.state_dict(keep_vars=True).items() if "tracked" not in name
    ]


def _as_torch(layer: Any) -> list[Any]:
    first, *rest = layer.get_weights()
    if first.ndim == 4:
        first = (
            first.transpose(2, 3, 0, 1)
            if "Depthwise" in type(layer).__name__
            else first.transpose(3, 2, 0, 1)
        )
    if layer.name == "f":  # flattened channels last there, channels first here
        first = first.reshape(4, 4, 8, 12).transpose(3, 2, 0, 1).reshape(12, 128)
    elif first.ndim == 2:
        first = first.T
    return [first, *rest]


@pytest.mark.parametrize(("measure", "p"), [("l2", 2), ("l1", 1)])
@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_the_same_channels_stay_and_the_same_answers_come(
    measure: str, p: int, ratio: float
) -> None:
    import torch
    import torch_pruning as tp

    tensorflow()
    import keras

    model = mixed(keras)
    twin, x = _twin(model), items(model)
    given = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    np.testing.assert_allclose(twin(given).detach(), model(x), rtol=1e-3, atol=1e-3)

    found = channels(model)
    gone = pruned(
        found,
        importances(found, measure),
        [len(u) for u in found.groups.values()],
        ratio,
        "per_layer",
        1,
    )
    smaller = found.without(gone)
    tp.pruner.MetaPruner(
        twin,
        given,
        tp.importance.GroupMagnitudeImportance(p=p),
        pruning_ratio=ratio,
        ignored_layers=[twin.g],
    ).step()
    for name, module in twin.named_children():
        for theirs, ours in zip(
            _parameters(module), _cut_as_torch(smaller.get_layer(name)), strict=True
        ):
            assert theirs.shape == ours.shape
            np.testing.assert_array_equal(theirs.detach().numpy(), ours)
    np.testing.assert_allclose(twin(given).detach(), smaller(x), rtol=1e-3, atol=1e-3)


def _cut_as_torch(layer: Any) -> list[Any]:
    first, *rest = layer.get_weights()
    if layer.name != "f":
        return _as_torch(layer)
    places = first.reshape(4, 4, -1, first.shape[1])
    return [places.transpose(3, 2, 0, 1).reshape(first.shape[1], -1), *rest]
