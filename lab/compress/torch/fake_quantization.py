"""Rounding of activations to 8 bits while a PyTorch model trains, in ranges that follow the
activations.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from lab.formats.torch_export.functions import cleaned
from lab.formats.torch_export.fx import kind

LEVELS = 255
MOMENTUM = 0.02
"""Share of a range that each training batch renews; it is small, so that an outlier in one batch
matters little.
"""
CLIPPING = {"relu", "relu_", "hardtanh", "hardtanh_", "clamp", "clamp_min"}
"""Operators that runtimes fuse into the one before: only their output is rounded."""
SAME = {
    "reshape", "view", "flatten", "transpose", "permute", "contiguous", "expand", "repeat",
    "squeeze", "unsqueeze", "getitem", "sliced", "indexed", "size", "max_pool2d", "split", "chunk",
    "unflatten", "pad",
}  # fmt: skip
"""Operators that pass elements on unchanged."""


@cache
def fake_class() -> Any:
    """Return the module class that rounds an activation."""
    import torch

    class Fake(torch.nn.Module):  # type: ignore[misc]
        """Module with one scale and one zero point for a range that contains zero; gradients pass
        inside the range (Jacob et al. 2018, arXiv:1712.05877).
        """

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("range", torch.zeros(2))
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: Any) -> Any:
            """Return x on the grid of its range; in training mode, update the range first."""
            if self.training:
                self._follow(x.detach())
            low, high = self.range.clamp(max=0.0)[0], self.range.clamp(min=0.0)[1]
            scale = ((high - low) / LEVELS).clamp(min=1e-9)
            return torch.fake_quantize_per_tensor_affine(
                x, scale, (-low / scale).round().int(), 0, LEVELS
            )

        def _follow(self, x: Any) -> None:
            share = MOMENTUM if self.seen else 1.0
            self.range.lerp_(torch.stack([x.min(), x.max()]).to(self.range.dtype), share)
            self.seen.fill_(1.0)

    return Fake


def add_fakes(model: Any) -> list[str]:
    """Round every activation of a GraphModule that an integer runtime stores, in place; return the
    names of the added modules.
    """
    names = []
    for node in [node for node in model.graph.nodes if _is_stored(model, node)]:
        names.append(f"fake_{node.name}")
        model.add_submodule(names[-1], fake_class()())
        with model.graph.inserting_after(node):
            fake = model.graph.call_module(names[-1], (node,))
        node.replace_all_uses_with(fake, delete_user_cb=lambda user, fake=fake: user is not fake)
    model.recompile()
    return names


def drop_fakes(model: Any, names: list[str]) -> None:
    """Remove the modules that `add_fakes` added."""
    for node in [
        node for node in model.graph.nodes if node.op == "call_module" and node.target in names
    ]:
        node.replace_all_uses_with(node.args[0])
        model.graph.erase_node(node)
    cleaned(model)


def _is_stored(model: Any, node: Any) -> bool:
    import torch

    if node.op in ("get_attr", "output") or not _is_float(node) or kind(node) in SAME:
        return False
    if node.op == "call_module" and isinstance(
        model.get_submodule(node.target), torch.nn.modules.dropout._DropoutNd
    ):
        return False
    return not (node.users and all(_clips(model, user) for user in node.users))


def _clips(model: Any, node: Any) -> bool:
    return kind(node) in CLIPPING


def _is_float(node: Any) -> bool:
    import torch

    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype.is_floating_point and value.ndim > 0
