"""The layer table of an ONNX file: a row for each node that computes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from lab.formats.onnx.contrib import in_standard
from lab.formats.onnx.files import load_onnx
from lab.formats.onnx.inspect import Shapes, node_macs, shapes_of, weights_of
from lab.types import Layer

_RENAMING = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"}
_ROUNDING = {"QuantizeLinear", "DynamicQuantizeLinear"}
"""Read what is computed, if only the model's input: nobody rounds constants while a model runs."""
_INTEGER = 7  # TensorProto.INT64: shapes and indices


def layers(path: Path) -> list[Layer]:
    """See `lab.formats.layers.layer_table`; an input is named by its row's number."""
    return [layer for _, layer in nodes_and_layers(load_onnx(path))]


def nodes_and_layers(model: Any) -> list[tuple[Any, Layer]]:
    """Each row of the table with its node."""
    return rows_of(model, shapes_of(model), types_of(model))


def rows_of(model: Any, shapes: Shapes, types: dict[str, int]) -> list[tuple[Any, Layer]]:
    """The same, of a model whose tensors' shapes and element types are known."""
    weights = weights_of(model)
    rows: list[tuple[Any, Layer]] = []
    made_by: dict[str, int] = {}
    for node in model.graph.node:
        sources = list(dict.fromkeys(made_by[name] for name in node.input if name in made_by))
        parameters = sum(weights.pop(name, 0) for name in node.input)
        if parameters or not _is_silent(node, shapes, types, sources, bool(rows)):
            rows.append((node, _row(node, sources, parameters, shapes, types)))
            sources = [len(rows) - 1]
        made_by |= dict.fromkeys(node.output, sources[0]) if sources else {}
    return rows


def _is_silent(
    node: Any, shapes: Shapes, types: dict[str, int], sources: list[int], started: bool
) -> bool:
    """Return whether a node only renames its input, or computes with shapes and constants."""
    first = node.output[0]
    of_shapes = types.get(first) == _INTEGER and len(shapes.get(first, (0,))) < 2
    return (
        node.op_type in _RENAMING
        or of_shapes
        or node.op_type in ("Constant", "ConstantOfShape")
        or (started and not sources and node.op_type not in _ROUNDING)
    )


def _row(
    node: Any, sources: list[int], parameters: int, shapes: Shapes, types: dict[str, int]
) -> Layer:
    shape = shapes.get(node.output[0], ())
    try:
        macs: int | None = node_macs(node, shapes)
    except KeyError:
        macs = None
    size = prod(shape) * _item_bytes(types.get(node.output[0])) if shape else 0
    name = node.name or node.output[0]
    return Layer(
        name, node.op_type, tuple(shape[1:]), parameters, macs, size, tuple(map(str, sources))
    )


def _item_bytes(kind: int | None) -> int:
    import onnx

    return int(onnx.helper.tensor_dtype_to_np_dtype(kind or onnx.TensorProto.FLOAT).itemsize)


def types_of(model: Any) -> dict[str, int]:
    """Element type of each tensor; call it after `shapes_of`, which infers them."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(in_standard(model), data_prop=True).graph
    return {
        value.name: value.type.tensor_type.elem_type
        for value in [*graph.value_info, *graph.input, *graph.output]
    }
