"""Masks that are learnt with the weights: NNCF's regularization-based pruning, brought to an exact share of zeros."""

from __future__ import annotations

from typing import Any

from lab.formats.torch_pruning import masked

_FASTER = 50.0
"""Masks begin far from where they cut; with the learning rate of weights they would never get there."""


def learning(model: Any, program: Any, keep: Any) -> Any:
    """A module around the model whose masks are parameters; in training its loss pulls their share of zeros to `.target`.

    `.net` is what NNCF made, `.target` a buffer with the share, which may be changed while it trains.

    Source: NNCF's RBPruningMask and RBLoss (Louizos et al. 2018, arXiv:1712.01312).
    """
    import torch
    from nncf.torch.function_hook.pruning.rb.losses import RBLoss

    net = masked(model, program, "regularization", None, keep)
    for mask in _masks(net):
        torch.nn.utils.parametrize.register_parametrization(mask, "mask", _scaled())

    class Learning(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = net
            self.register_buffer("target", torch.zeros(()))

        def forward(self, x: Any) -> Any:
            outputs = self.net(x)
            if not self.training:
                return outputs
            loss = RBLoss(self.net, 0.0)
            loss.target_ratio = self.target
            return _with_loss().apply(outputs, loss())

    return Learning().eval()


def _masks(net: Any) -> list[Any]:
    """In the order of their names, whatever order NNCF's sets had."""
    from nncf.torch.function_hook.pruning.rb.algo import get_pruned_modules

    return [mask for _, mask in sorted(get_pruned_modules(net).items())]


def _scaled() -> Any:
    import torch

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def forward(self, value: Any) -> Any:
            return value * _FASTER

        def right_inverse(self, value: Any) -> Any:
            return value / _FASTER

    return Scaled()


def _with_loss() -> Any:
    """Hands outputs on and makes a loss part of whatever loss they lead to."""
    import torch

    class WithLoss(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, outputs: Any, loss: Any) -> Any:
            return outputs.view_as(outputs)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient, gradient.new_ones(())

    return WithLoss


def decide(net: Any, ratio: float) -> None:
    """Turn the learnt masks into plain ones with an exact share of zeros: those that were learnt lowest."""
    import torch

    masks = _masks(net)
    scores = torch.cat([mask.mask.detach().flatten() for mask in masks])
    stay = torch.ones(len(scores))
    stay[scores.argsort(stable=True)[: round(ratio * len(scores))]] = -1.0
    for mask, part in zip(masks, stay.split([mask.mask.numel() for mask in masks]), strict=True):
        torch.nn.utils.parametrize.remove_parametrizations(mask, "mask", leave_parametrized=True)
        with torch.no_grad():
            mask.mask.copy_(part.reshape(mask.mask.shape))
