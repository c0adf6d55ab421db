"""Looks into OpenVINO files: shapes, weights, multiplications, and what stayed float."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

from lab.formats.openvino_ir.files import load_openvino
from lab.formats.openvino_ir.graph import (
    constants,
    float_operators,
    for_one_item,
    macs,
    operations,
    place_of,
    stored,
)


def inspect(path: Path) -> dict[str, Any]:
    """See `lab.formats.inspect.inspect`; what only unpacks weights is no operator."""
    model = load_openvino(path)
    return {
        "inputs": [_info(value) for value in model.inputs],
        "outputs": [_info(value) for value in model.outputs],
        "parameters": sum(weights_of(model).values()),
        "operators": dict(Counter(op.get_type_name() for op in operations(model))),
        "float_operators": dict(Counter(op.get_type_name() for op in float_operators(model))),
        "macs": _macs(model),
    }


def _info(value: Any) -> dict[str, Any]:
    import numpy as np

    shape = [None if size.is_dynamic else size.get_length() for size in value.get_partial_shape()]
    name = value.get_any_name() if value.get_names() else value.get_node().get_friendly_name()
    return {
        "name": name,
        "shape": shape,
        "dtype": np.dtype(value.get_element_type().to_dtype()).name,
    }


def weights_of(model: Any) -> dict[int, int]:
    """Number of elements of each weight, by address in memory: OpenVINO stores equal ones once."""
    fixed = constants(model)
    roots = [root for op in operations(model) for root in stored(op, fixed)]
    return {place_of(root): prod(root.get_output_shape(0)) for root in roots}


def _macs(model: Any) -> int | None:
    try:
        return sum(map(macs, operations(for_one_item(model))))
    except (KeyError, RuntimeError):
        return None
