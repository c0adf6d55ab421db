"""Folding of batch normalisations into the layer before them, so that training computes what a
runtime computes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


def fold_modules(model: Any) -> Any:
    """Multiply each batch normalisation into the convolution or dense layer before it, in place,
    where it is the only reader.

    Args:
        model: GraphModule of `lab.formats.torch_export.modules.as_modules`; layers keep their
            names.

    Source: torch.nn.utils.fusion.fuse_conv_bn_eval, fuse_linear_bn_eval.
    """
    from lab.formats.torch_export.functions import cleaned

    calls = Counter(node.target for node in model.graph.nodes if node.op == "call_module")
    for node in list(model.graph.nodes):
        if _is_norm(model, node) and _is_foldable(model, node.args[0], calls):
            _fold(model, node.args[0], node)
    return cleaned(model)


def _is_norm(model: Any, node: Any) -> bool:
    import torch

    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    return node.op == "call_module" and isinstance(model.get_submodule(node.target), norms)


def _is_foldable(model: Any, before: Any, calls: Counter[str]) -> bool:
    import torch

    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.Linear)
    if before.op != "call_module" or len(before.users) > 1 or calls[before.target] > 1:
        return False
    return isinstance(model.get_submodule(before.target), kinds)


def _fold(model: Any, layer: Any, norm: Any) -> None:
    import torch
    from torch.nn.utils import fusion

    held, scaling = (
        model.get_submodule(layer.target).eval(),
        model.get_submodule(norm.target).eval(),
    )
    fuse = (
        fusion.fuse_linear_bn_eval
        if isinstance(held, torch.nn.Linear)
        else fusion.fuse_conv_bn_eval
    )
    model.set_submodule(layer.target, fuse(held, scaling))
    norm.replace_all_uses_with(layer)
    model.graph.erase_node(norm)
