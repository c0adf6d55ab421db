"""Factorization of a PyTorch model's layers into two smaller ones in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.compress.choosing import KEEP
from lab.compress.low_rank import (
    BY,
    KERNELS,
    SHARE,
    Factors,
    factorized,
    noted,
    nothing_to_factorize,
)
from lab.compress.torch.weighted import weighted_layers
from lab.plugs import Context


def factorize(model: Any, params: Mapping[str, Any], context: Context) -> None:
    """Factorize the layers of a model in place; `conv1` becomes `conv1.0` and `conv1.1`.

    Raises:
        InvalidFile: no layer gets smaller.
    """
    layers = {
        name: m
        for name, m in weighted_layers(model, params[KEEP.id]).items()
        if _is_whole(m, params[KERNELS.id])
    }
    matrices = {
        name: module.weight.detach().numpy().reshape(len(module.weight), -1)
        for name, module in layers.items()
    }
    factors = factorized(matrices, params[BY.id], params[SHARE.id])
    whole = {name: (matrix.shape[0], matrix.shape[1]) for name, matrix in matrices.items()}
    if not factors:
        raise nothing_to_factorize(whole)
    for name, found in factors.items():
        _put(model, name, _pair(layers[name], found))
    context.note("low rank", noted(factors, whole))


def _is_whole(module: Any, kernels: str) -> bool:
    """Return whether a layer is one matrix that may be factorized; a weight used as an embedding is
    no product.
    """
    import torch

    if isinstance(module, torch.nn.Linear):
        return True
    if isinstance(module, torch.nn.Embedding) or module.groups > 1:
        return False
    return kernels == "all" or all(size == 1 for size in module.kernel_size)


def _pair(module: Any, factors: Factors) -> Any:
    """Return two layers: the first has the kernel size, stride and padding, the second the bias."""
    import torch

    bias = module.bias is not None
    if isinstance(module, torch.nn.Linear):
        first = torch.nn.Linear(module.in_features, factors.rank, bias=False)
        second = torch.nn.Linear(factors.rank, module.out_features, bias=bias)
    else:
        kind = type(module)
        first = kind(
            module.in_channels,
            factors.rank,
            module.kernel_size,
            module.stride,
            module.padding,
            module.dilation,
            bias=False,
        )
        second = kind(factors.rank, module.out_channels, 1, bias=bias)
    with torch.no_grad():
        for layer, matrix in ((first, factors.first), (second, factors.second)):
            layer.weight.copy_(torch.from_numpy(matrix).reshape(layer.weight.shape))
        if bias:
            second.bias.copy_(module.bias)
    return torch.nn.Sequential(first, second)


def _put(model: Any, path: str, module: Any) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
