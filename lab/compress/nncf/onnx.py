"""Checks of ONNX models with weights compressed by NNCF: whether ONNX Runtime can compute them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lab.compress.nncf.models import OnnxSource
from lab.errors import InvalidFile
from lab.formats.refusals import ORT, refusal
from lab.lazy import np
from lab.plugs import Context

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_BYTES = ("UINT8", "INT8", "UINT4", "INT4")


def convolutions(model: Any) -> list[str]:
    """Return the names of nodes whose compressed weights ONNX Runtime cannot read: their scales
    have too many axes.
    """
    return [node.name for node in model.graph.node if node.op_type in _CONVOLUTIONS]


def weight_types(model: Any) -> Counter[str]:
    """Return type -> number of compressed weights; weights of MatMulNBits have 4 bits, or the
    number in its attribute.
    """
    import onnx

    stored = {
        tensor.name: onnx.TensorProto.DataType.Name(tensor.data_type)
        for tensor in model.graph.initializer
    }
    types = [
        stored.get(n.input[0], "") for n in model.graph.node if n.op_type == "DequantizeLinear"
    ]
    packed = [
        f"UINT{a.i}"
        for n in model.graph.node
        if n.op_type == "MatMulNBits"
        for a in n.attribute
        if a.name == "bits"
    ]
    return Counter([name for name in types if name in _BYTES] + packed)


def check_runs(source: OnnxSource, compressed: Any, context: Context) -> None:
    """Raise InvalidFile if ONNX Runtime cannot load or run the model."""
    item = np.zeros((1, *context.card.input.shape), np.float32)
    try:
        source.outputs(compressed, source.feeds(item))
    except Exception as error:
        error_in_words = refusal("ONNX Runtime", str(error), "what NNCF writes", ORT)
        raise InvalidFile(
            error_in_words.problem,
            given=error_in_words.given,
            remedy=(
                "Choose mode=int8_sym, or int4_sym in groups and without all_layers; or"
                " nncf_openvino_weights, which writes for OpenVINO"
            ),
        ) from error
