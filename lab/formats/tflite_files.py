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
        if any(buffer.offset + buffer.size > len(content) for buffer in model.buffers):
            raise ValueError("weights are missing at the end")
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
    """Whether the tensor's values are stored in the file: in a buffer, or after the flatbuffer at a buffer's offset."""
    buffer = model.buffers[tensor.buffer]
    return buffer.size > 1 or (buffer.data is not None and len(buffer.data) > 0)


def is_scaled_integer(tensor: Any) -> bool:
    """Whether the tensor stands for real numbers by integers and a scale."""
    details = tensor.quantization
    return details is not None and details.scale is not None and len(details.scale) > 0


def quantized_weights(model: Any) -> int:
    """How many stored tensors are integers with a scale."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    return sum(is_scaled_integer(t) and is_constant(model, t) and type_name(t) in _WEIGHT_TYPES for t in tensors)


def signed(model: Any, content: bytes) -> bytes:
    """The file's content, with a signature where an older converter wrote none: calibration feeds by signature."""
    if model.signatureDefs:
        return content
    import flatbuffers

    graph = model.subgraphs[0]
    model.signatureDefs = [_signature(graph.inputs, graph.outputs)]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MAGIC)
    return bytes(builder.Output())


def _signature(inputs: Any, outputs: Any) -> Any:
    from ai_edge_litert.schema_py_generated import SignatureDefT

    signature = SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = [_argument(f"input_{n}", index) for n, index in enumerate(inputs)]
    signature.outputs = [_argument(f"output_{n}", index) for n, index in enumerate(outputs)]
    return signature


def _argument(name: str, index: int) -> Any:
    from ai_edge_litert.schema_py_generated import TensorMapT

    argument = TensorMapT()
    argument.name, argument.tensorIndex = name.encode(), int(index)
    return argument
