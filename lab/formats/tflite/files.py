"""Reads TFLite files as flatbuffer objects, without an interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np

MAGIC = b"TFL3"
_WEIGHT_TYPES = {"INT8", "UINT8", "INT4", "INT2"}


def load_tflite(path: Path) -> Any:
    """The ModelT of a file.

    Raises:
        InvalidFile: it is no TFLite file, or a damaged one.
    """
    content = path.read_bytes()
    if content[4:8] != MAGIC:
        raise InvalidFile(
            "This is not a TFLite file", allowed="a flatbuffer marked TFL3", given=str(path)
        )
    from ai_edge_litert.schema_py_generated import ModelT

    try:
        model = ModelT.InitFromPackedBuf(content, 0)
        model.subgraphs[0].operators[0]
        if any(buffer.offset + buffer.size > len(content) for buffer in model.buffers):
            raise ValueError("weights are missing at the end")
    except Exception as error:
        raise InvalidFile(
            "This TFLite file is damaged", allowed="a complete TFLite file", given=str(path)
        ) from error
    return model


def type_name(tensor: Any) -> str:
    """Name of a tensor's type: FLOAT32, INT8 …"""
    from ai_edge_litert.schema_py_generated import TensorType

    return next(
        str(name)
        for name, value in vars(TensorType).items()
        if value == tensor.type and not name.startswith("_")
    )


def operator_name(model: Any, operator: Any) -> str:
    """Name of an operator's type: CONV_2D …, or the custom operator's own."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return str(
            code.customCode.decode() if isinstance(code.customCode, bytes) else code.customCode
        )
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next(
        str(name)
        for name, value in vars(BuiltinOperator).items()
        if value == number and not name.startswith("_")
    )


def is_constant(model: Any, tensor: Any) -> bool:
    """Return whether the tensor's values are stored in the file: in a buffer, or after the
    flatbuffer at a buffer's offset.
    """
    buffer = model.buffers[tensor.buffer]
    return buffer.size > 1 or (buffer.data is not None and len(buffer.data) > 0)


def is_scaled_integer(tensor: Any) -> bool:
    """Return whether the tensor represents real numbers by integers and a scale, or a scale for
    each block.
    """
    details = tensor.quantization
    return details is not None and (
        bool(block_size(tensor)) or (details.scale is not None and len(details.scale) > 0)
    )


def block_size(tensor: Any) -> int:
    """Return how many neighbours in a row share a scale, where the scales are a tensor of their
    own; 0 where they are not.
    """
    from ai_edge_litert.schema_py_generated import QuantizationDetails

    details = tensor.quantization
    blockwise = (
        details is not None and details.detailsType == QuantizationDetails.BlockwiseQuantization
    )
    return int(details.details.blockSize) if blockwise else 0


def block_scales(graph: Any) -> set[int]:
    """Numbers of the tensors of a graph that are other tensors' scales."""
    return {
        int(tensor.quantization.details.scales) for tensor in graph.tensors if block_size(tensor)
    }


def quantized_weights(model: Any) -> int:
    """Count the stored tensors that are integers with a scale."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    return sum(
        is_scaled_integer(t) and is_constant(model, t) and type_name(t) in _WEIGHT_TYPES
        for t in tensors
    )


def signed(model: Any, content: bytes) -> bytes:
    """The file's content, with what ai-edge-quantizer needs and older converters leave out.

    That is a signature, by which calibration feeds, and names of tensors, no two the same.
    """
    renamed = _tell_apart([tensor for graph in model.subgraphs for tensor in graph.tensors])
    if model.signatureDefs and not renamed:
        return content
    graph = model.subgraphs[0]
    model.signatureDefs = model.signatureDefs or [_signature(graph.inputs, graph.outputs)]
    return packed(model, content)


def packed(model: Any, content: bytes) -> bytes:
    """A changed model as a file.

    Args:
        content: of the file that the model was read from, which may hold weights after the
            flatbuffer.
    """
    import flatbuffers

    for buffer in model.buffers:
        if buffer.size > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MAGIC)
    return bytes(builder.Output())


def give_own_tensor(model: Any, tensor: int, operators: Sequence[int], suffix: str) -> None:
    """Let some operators of the first subgraph read a copy of a constant tensor, so that they can
    be treated by themselves.
    """
    graph = model.subgraphs[0]
    copied = copy(graph.tensors[tensor])
    copied.name += suffix.encode()
    graph.tensors.append(copied)
    for operator in (graph.operators[number] for number in operators):
        operator.inputs = np.where(
            np.asarray(operator.inputs) == tensor, len(graph.tensors) - 1, operator.inputs
        )


def _tell_apart(tensors: list[Any]) -> bool:
    """Number names that are empty or occur again, after a semicolon: a layer's name is what stands
    before it.
    """
    seen: set[bytes] = set()
    changed = False
    for number, tensor in enumerate(tensors):
        if not tensor.name or tensor.name in seen:
            tensor.name, changed = (tensor.name or b"") + f";{number}".encode(), True
        seen.add(tensor.name)
    return changed


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
