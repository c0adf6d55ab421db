"""The layer table of a Keras file: its layers, those of models inside it in place."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from lab.formats.keras.files import load_keras
from lab.types import Layer

_RENAMING = {"InputLayer", "Reshape", "Flatten", "Identity"}
_ONLY_IN_TRAINING = (
    "Dropout",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "SpatialDropout",
    "ActivityRegularization",
    "Random",
)
_ITEM_BYTES = {
    "float64": 8,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


def layers(path: Path) -> list[Layer]:
    """See `lab.formats.layers.layer_table`; an input is named by its row's number."""
    rows: list[Layer] = []
    row_of: dict[str, int] = {}
    counted: set[int] = set()
    for prefix, layer in _flat(load_keras(path)):
        known = (
            []
            if _is_model(layer)
            else [row_of[name] for name in _read_by(layer, prefix) if name in row_of]
        )
        sources = list(dict.fromkeys(known)) or ([len(rows) - 1] if rows else [])
        if not _is_silent(layer):
            rows.append(_row(layer, prefix, sources, counted))
            sources = [len(rows) - 1]
        row_of |= {prefix + layer.name: sources[0]} if sources else {}
    return rows


def _flat(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(prefix, layer) of the layers; a model inside the model comes after its own layers, whose
    last one is its output.
    """
    for layer in model.layers:
        if _is_model(layer):
            yield from _flat(layer, f"{prefix}{layer.name}.")
        yield prefix, layer


def _is_model(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Model)


def _read_by(layer: Any, prefix: str) -> list[str]:
    nodes = getattr(layer, "_inbound_nodes", [])
    return [
        prefix + tensor._keras_history.operation.name
        for node in nodes
        for tensor in node.input_tensors
    ]


def _is_silent(layer: Any) -> bool:
    kind = type(layer).__name__
    return _is_model(layer) or kind in _RENAMING or kind.startswith(_ONLY_IN_TRAINING)


def _row(layer: Any, prefix: str, sources: list[int], counted: set[int]) -> Layer:
    shape = _output_shape(layer)
    fresh = [w for w in layer.weights if id(w) not in counted]
    counted.update(map(id, fresh))
    size = prod(shape) * _ITEM_BYTES.get(str(layer.compute_dtype), 4) if shape else 0
    inputs = tuple(map(str, sources))
    return Layer(
        prefix + layer.name,
        type(layer).__name__,
        shape,
        sum(prod(w.shape) for w in fresh),
        _macs(layer),
        size,
        inputs,
    )


def _output_shape(layer: Any) -> tuple[int, ...]:
    """Shape of one item of the (first) output; empty where it is unknown or free."""
    return (
        _known(_first(getattr(layer, "output", None)))
        if getattr(layer, "_inbound_nodes", [])
        else ()
    )


def _first(value: Any) -> Any:
    return _first(value[0]) if isinstance(value, (list, tuple)) and value else value


def _known(tensor: Any) -> tuple[int, ...]:
    shape = tuple(getattr(tensor, "shape", (None, None)))[1:]
    return () if None in shape else tuple(map(int, shape))


# --- multiply-accumulates of one item -------------------------------------------------------------


def _macs(layer: Any) -> int | None:
    if not layer.weights:
        return 0
    taken, made = _known(_first(getattr(layer, "input", None))), _output_shape(layer)
    return _work(layer, taken, made) if taken and made else None


def _work(layer: Any, taken: tuple[int, ...], made: tuple[int, ...]) -> int | None:
    """Work of a layer that turns items of the shape `taken` into items of the shape `made`."""
    kind = type(layer).__name__
    if kind == "Bidirectional":
        return sum(_recurrent(part, taken) for part in (layer.forward_layer, layer.backward_layer))
    if kind == "TimeDistributed":
        inner = _work(layer.layer, taken[1:], made[1:])
        return None if inner is None else taken[0] * inner
    if hasattr(layer, "cell"):
        return _recurrent(layer, taken)
    if kind in ("MultiHeadAttention", "GroupQueryAttention"):
        return _attention(layer)
    if kind == "EinsumDense":
        return _einsum(layer, taken)
    kernels = [
        getattr(layer, n)
        for n in ("kernel", "depthwise_kernel", "pointwise_kernel")
        if hasattr(layer, n)
    ]
    places = _places(layer, taken if "Transpose" in kind else made)
    return int(sum(prod(kernel.shape) for kernel in kernels) * places)


def _places(layer: Any, shape: tuple[int, ...]) -> int:
    """Count how often each entry of a kernel is used: once at every place, channels apart."""
    return prod(shape[1:] if getattr(layer, "data_format", "") == "channels_first" else shape[:-1])


def _recurrent(layer: Any, taken: tuple[int, ...]) -> int:
    cells = getattr(layer.cell, "cells", [layer.cell])
    return int(taken[0] * sum(prod(c.kernel.shape) + prod(c.recurrent_kernel.shape) for c in cells))


def _attention(layer: Any) -> int | None:
    """The four projections, and for each pair of query and key one product along the key and one
    along the value.
    """
    node = layer._inbound_nodes[0]
    shapes = [tuple(tensor.shape)[1:] for tensor in node.input_tensors]
    query, key = shapes[0], shapes[-1]
    if None in (*query, *key):
        return None
    heads = getattr(layer, "num_heads", None) or layer.num_query_heads
    size, value_size = (getattr(layer, n, None) or layer.head_dim for n in ("key_dim", "value_dim"))
    steps, seen = prod(query[:-1]), prod(key[:-1])
    asked, kept = heads * size, getattr(layer, "num_key_value_heads", heads)
    projected = steps * query[-1] * asked + seen * key[-1] * kept * (size + value_size)
    return int(
        projected
        + steps * seen * heads * (size + value_size)
        + steps * heads * value_size * _width(layer)
    )


def _width(layer: Any) -> int:
    return int(_output_shape(layer)[-1])


def _einsum(layer: Any, taken: tuple[int, ...]) -> int | None:
    """Product of the sizes of all indices of the equation."""
    items, kernel = layer.equation.split("->")[0].split(",")
    names = items.replace("...", "")
    sizes = dict(zip(reversed(names), reversed(taken), strict=False)) | dict(
        zip(kernel, layer.kernel.shape, strict=True)
    )
    free = prod(taken[: len(taken) - len(names)]) if "..." in items else 1
    return int(free * prod(sizes.values()))
