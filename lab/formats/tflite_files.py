"""Reads TFLite files as flatbuffer objects, without an interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import InvalidFile

MAGIC = b"TFL3"
_WEIGHT_TYPES = {"INT8", "UINT8", "INT4", "INT2"}


def load_tflite(path: Path) -> Any:
    """The ModelT of a file.

    Raises:
        InvalidFile: it is no TFLite file, or a damaged one.
    """
    content = path.read_bytes()
    if content[4:8] != MAGIC:
        raise InvalidFile("This is not a TFLite file", allowed="a flatbuffer marked TFL3", given=str(path))
    from ai_edge_litert.schema_py_generated import ModelT

    try:
        model = ModelT.InitFromPackedBuf(content, 0)
        model.subgraphs[0].operators[0]
    except Exception as error:
        raise InvalidFile("This TFLite file is damaged", allowed="a complete TFLite file", given=str(path)) from error
    return model


def type_name(tensor: Any) -> str:
    """Name of a tensor's type: FLOAT32, INT8 …"""
    from ai_edge_litert.schema_py_generated import TensorType

    return next(
        str(name) for name, value in vars(TensorType).items() if value == tensor.type and not name.startswith("_")
    )


def operator_name(model: Any, operator: Any) -> str:
    """Name of an operator's type: CONV_2D …, or the custom operator's own."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return str(code.customCode.decode() if isinstance(code.customCode, bytes) else code.customCode)
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next(
        str(name) for name, value in vars(BuiltinOperator).items() if value == number and not name.startswith("_")
    )


def is_constant(model: Any, tensor: Any) -> bool:
    """Whether the tensor's values are stored in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def quantized_weights(model: Any) -> int:
    """How many stored tensors are integers with a scale."""
    return sum(
        1
        for graph in model.subgraphs
        for tensor in graph.tensors
        if type_name(tensor) in _WEIGHT_TYPES and tensor.quantization is not None
        and tensor.quantization.scale is not None and len(tensor.quantization.scale) and is_constant(model, tensor)
    )  # fmt: skip
