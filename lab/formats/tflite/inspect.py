"""Looks into TFLite files: shapes, weights, multiplications, and what stayed float."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lab.formats.tflite.files import (
    block_scales,
    is_constant,
    is_scaled_integer,
    load_tflite,
    operator_name,
    quantized_weights,
    type_name,
)

COMPUTE = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"}
_FLOATS = {"FLOAT32", "FLOAT16"}


def inspect(path: Path) -> dict[str, Any]:
    """See `lab.formats.inspect.inspect`; of several subgraphs, the first is the model."""
    model = load_tflite(path)
    graph = model.subgraphs[0]
    operators = [(operator_name(model, operator), operator) for operator in graph.operators]
    return {
        "inputs": [_info(graph.tensors[i]) for i in graph.inputs],
        "outputs": [_info(graph.tensors[i]) for i in graph.outputs],
        "parameters": _parameters(model, graph),
        "macs": sum(operator_macs(name, operator, graph.tensors) for name, operator in operators),
        "operators": dict(Counter(name for name, _ in operators)),
        "float_operators": _float_operators(model, graph, operators),
    }


def shape_of(tensor: Any) -> tuple[int, ...]:
    """A tensor's shape; () where the file gives none."""
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def _info(tensor: Any) -> dict[str, Any]:
    signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    shape = [int(size) if size >= 0 else None for size in np.asarray(signature).ravel()]
    return {"name": tensor.name.decode(), "shape": shape, "dtype": type_name(tensor).lower()}


def _parameters(model: Any, graph: Any) -> int:
    return sum(weights_of(model, graph).values())


def weights_of(model: Any, graph: Any) -> dict[int, int]:
    """Number of elements of each buffer of weights, without shapes, indices and scales."""
    scales = block_scales(graph)
    return {
        tensor.buffer: prod(shape_of(tensor))
        for number, tensor in enumerate(graph.tensors)
        if number not in scales
        and is_constant(model, tensor)
        and (type_name(tensor) in _FLOATS or is_scaled_integer(tensor))
    }


def operator_macs(name: str, operator: Any, tensors: list[Any]) -> int:
    """Multiply-accumulate operations of one operator, for the batch that the file was written
    with.
    """
    if name not in COMPUTE:
        return 0
    first, second = (shape_of(tensors[i]) for i in operator.inputs[:2])
    output = prod(shape_of(tensors[operator.outputs[0]]))
    if name == "TRANSPOSE_CONV":
        return prod(shape_of(tensors[operator.inputs[2]])) * prod(second[:3])
    if name == "BATCH_MATMUL":
        return output * first[-2 if operator.builtinOptions.adjX else -1]
    per_output = {
        "CONV_2D": second[1:],
        "DEPTHWISE_CONV_2D": second[1:3],
        "FULLY_CONNECTED": second[-1:],
    }
    return output * prod(per_output[name])


def _float_operators(model: Any, graph: Any, operators: list[tuple[str, Any]]) -> dict[str, int]:
    """Multiplying operators that read no integers, in a file that has integer weights."""
    if not quantized_weights(model):
        return {}
    return dict(
        Counter(
            name
            for name, operator in operators
            if name in COMPUTE
            and not any(is_scaled_integer(graph.tensors[i]) for i in operator.inputs if i >= 0)
        )
    )
