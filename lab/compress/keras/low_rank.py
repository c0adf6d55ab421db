"""Factorization of a Keras model's layers into two smaller ones in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.compress.choosing import KEEP
from lab.compress.keras.graph import rebuilt
from lab.compress.keras.weighted import weighted_layers
from lab.compress.low_rank import (
    BY,
    KERNELS,
    SHARE,
    Factors,
    factorized,
    noted,
    nothing_to_factorize,
)
from lab.plugs import Array, Context

_PLAIN = {
    "use_bias": False,
    "activation": "linear",
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}
_POINT = {"strides": 1, "dilation_rate": 1, "padding": "valid", "kernel_size": 1}


def factorize(model: Any, params: Mapping[str, Any], context: Context) -> Any:
    """Return a new flat model in which `conv1` is `conv1.0` and `conv1.1`; the given model is not
    changed.

    Raises:
        InvalidFile: no layer gets smaller, or the model is neither functional nor Sequential.
    """
    import keras

    flat = rebuilt(model)
    layers = {
        name: layer
        for name, layer in weighted_layers(flat, params[KEEP.id]).items()
        if _is_whole(layer, params[KERNELS.id])
    }
    matrices = {name: _matrix(layer) for name, layer in layers.items()}
    factors = factorized(matrices, params[BY.id], params[SHARE.id])
    whole = {name: (matrix.shape[0], matrix.shape[1]) for name, matrix in matrices.items()}
    if not factors:
        raise nothing_to_factorize(whole)
    context.note("low rank", noted(factors, whole))
    pairs = {name: _pair(layers[name], pair.rank) for name, pair in factors.items()}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name not in pairs:
            return layer(*args, **kwargs)
        first, second = pairs[layer.name]
        return second(first(*args))

    result = keras.models.clone_model(flat, clone_function=lambda layer: layer, call_function=call)
    for name, pair in factors.items():
        _fill(pairs[name], layers[name], pair)
    return result


def _is_whole(layer: Any, kernels: str) -> bool:
    """Return whether a layer is one matrix that may be factorized."""
    kind = type(layer).__name__
    if kind == "Dense":
        return True
    if kind not in ("Conv1D", "Conv2D", "Conv3D") or layer.groups > 1:
        return False
    return kernels == "all" or all(size == 1 for size in layer.kernel_size)


def _matrix(layer: Any) -> Array:
    """Return the kernel as (outputs, inputs); Keras stores outputs last."""
    kernel: Array = layer.kernel.numpy()
    return kernel.reshape(-1, kernel.shape[-1]).T


def _pair(layer: Any, rank: int) -> tuple[Any, Any]:
    """Return two layers: the first has the kernel size, stride and padding, the second the bias and
    the activation.
    """
    config, kind = layer.get_config(), type(layer)
    width = "units" if "units" in config else "filters"
    first = {
        **config,
        **{k: v for k, v in _PLAIN.items() if k in config},
        width: rank,
        "name": f"{layer.name}.0",
    }
    second = {
        **config,
        **{k: v for k, v in _POINT.items() if k in config},
        "name": f"{layer.name}.1",
    }
    return kind.from_config(first), kind.from_config(second)


def _fill(pair: tuple[Any, Any], layer: Any, factors: Factors) -> None:
    for new, matrix in zip(pair, (factors.first, factors.second), strict=True):
        new.kernel.assign(matrix.T.reshape(new.kernel.shape))
    if layer.use_bias:
        pair[1].bias.assign(layer.bias)
