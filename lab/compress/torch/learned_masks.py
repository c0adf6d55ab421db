"""Masks trained with the weights: NNCF's regularization-based pruning, brought to an exact share of
zeros.
"""

from __future__ import annotations

from typing import Any

from lab.compress.torch.pruning import masked

_FASTER = 50.0
"""Factor of the masks' learning rate: masks start far from their threshold and would not reach it
with the learning rate of weights.
"""


def learning(model: Any, program: Any, keep: Any) -> Any:
    """Return a module around the model whose masks are parameters; in training its loss pulls their
    share of zeros to `.target`.

    `.net` is NNCF's model, `.target` a buffer with the share, which may change during training.

    Source: NNCF's RBPruningMask and RBLoss (Louizos et al. 2018, arXiv:1712.01312).
    """
    import torch
    from nncf.torch.function_hook.pruning.rb.losses import RBLoss

    net = masked(model, program, "regularization", None, keep)
    for mask in _masks(net).values():
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


def _masks(net: Any) -> dict[str, Any]:
    """Return NNCF's name of a mask -> mask, sorted by name, since NNCF's sets have no fixed
    order.
    """
    from nncf.torch.function_hook.pruning.rb.modules import RBPruningMask
    from nncf.torch.function_hook.wrapper import get_hook_storage

    hooks = dict(get_hook_storage(net).named_hooks())
    return {name: hooks[name] for name in sorted(hooks) if isinstance(hooks[name], RBPruningMask)}


def _scaled() -> Any:
    import torch

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def forward(self, value: Any) -> Any:
            return value * _FASTER

        def right_inverse(self, value: Any) -> Any:
            return value / _FASTER

    return Scaled()


def _with_loss() -> Any:
    """Return a function that passes outputs on and adds a loss to whatever loss they lead to."""
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
    """Replace the trained masks by plain ones with an exact share of zeros: the lowest mask values
    become zero.
    """
    import torch
    from nncf.torch.function_hook.pruning.magnitude.modules import UnstructuredPruningMask
    from nncf.torch.function_hook.wrapper import get_hook_storage

    learnt = {place: mask.mask.detach() for place, mask in _masks(net).items()}
    scores = torch.cat([values.flatten() for values in learnt.values()])
    stay = torch.ones(len(scores), dtype=torch.bool)
    stay[scores.argsort(stable=True)[: round(ratio * len(scores))]] = False
    parts = stay.split([values.numel() for values in learnt.values()])
    for (place, values), part in zip(learnt.items(), parts, strict=True):
        plain = UnstructuredPruningMask(tuple(values.shape))
        plain.binary_mask.copy_(part.reshape(values.shape))
        get_hook_storage(net).set_submodule(place, plain)
