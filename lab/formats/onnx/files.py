"""Reads and writes ONNX files, and finds onnxruntime's quantization package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile

QUANTIZED = {
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "MatMulNBits",
    "GatherBlockQuantized",
}


_FIELDS = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}
"""Numbers of ModelProto's fields (onnx.proto3)."""
_WIRE_TYPES = {0, 2}


def may_begin(head: bytes) -> bool:
    """Return whether a file that begins with these bytes can be a ModelProto: a protobuf message
    begins with a field's number and wire type.
    """
    if not head:
        return False
    tag = head[0]
    if tag & 0x80 and len(head) > 1:  # a number above 15 takes two bytes, seven bits each
        tag = (tag & 0x7F) | head[1] << 7
    return tag >> 3 in _FIELDS and tag & 7 in _WIRE_TYPES


def load_onnx(path: Path) -> Any:
    """The ModelProto of a file.

    Raises:
        InvalidFile: it is no ONNX file, or a damaged one.
    """
    import onnx

    try:
        model = onnx.load(str(path))
    except Exception as error:
        raise InvalidFile(
            f"This is not a readable ONNX file: {str(error)[:300]}", given=str(path)
        ) from error
    if not model.graph.node:
        raise InvalidFile(
            "This ONNX file has no operators", allowed="a complete ONNX model", given=str(path)
        )
    return model


def load_float_onnx(path: Path) -> Any:
    """The ModelProto of a file that still computes in float.

    Raises:
        InvalidFile: it is no ONNX file, a damaged one, or quantized already.
    """
    model = load_onnx(path)
    if {node.op_type for node in model.graph.node} & QUANTIZED:
        raise InvalidFile(
            "This ONNX file is quantized already", allowed="a float ONNX file", given=str(path)
        )
    return model


def working_copy(source: Path, workdir: Path) -> Path:
    """A copy in the job's own folder: onnxruntime's tools write beside the file that they read,
    maybe into a store.

    Raises:
        InvalidFile: it is no ONNX file, a damaged one, or quantized already.
    """
    load_float_onnx(source)
    return Path(shutil.copyfile(source, workdir / "source.onnx"))


def quantization() -> Any:
    """The package onnxruntime.quantization, without telemetry."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from onnxruntime import quantization as package

    return package
