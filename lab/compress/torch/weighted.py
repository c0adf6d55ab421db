"""Layers of a PyTorch model that hold nearly all of its weights, for pruning, clustering and
factorization.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lab.compress.choosing import KEEP, check_names


def weighted_layers(model: Any, keep: Collection[str] = ()) -> dict[str, Any]:
    """Return name -> module of convolutions, dense layers and embeddings, in the model's order,
    without those in `keep`.

    Args:
        model: see `lab.formats.torch_export.modules.as_modules`.

    Raises:
        InvalidOption: `keep` names a layer that is not one of them.
    """
    import torch

    n = torch.nn
    kinds = (n.Linear, n.Conv1d, n.Conv2d, n.Conv3d, n.Embedding)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, kinds)}
    check_names(KEEP.id, keep, layers)
    return {name: module for name, module in layers.items() if name not in keep}
