"""Operators of an ONNX file that multiply uint8 activations by stored int8 weights in ONNX Runtime
on x86.

They are read from the graph that ONNX Runtime makes, not from the file: at loading, it decides
which DequantizeLinear → operator → QuantizeLinear groups become integer operators, and on x86 it
converts some int8 activations to uint8.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.formats.onnx.files import QUANTIZED, load_onnx
from lab.formats.onnx.sessions import LEVELS, PROVIDERS, onnxruntime
from lab.formats.quiet import quiet
from lab.formats.refusals import ORT, refusal
from lab.lazy import np
from lab.plugs import Array

INTEGER = QUANTIZED | {
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "QGemm",
}
_LOG_FATAL = 4
_INPUTS = {
    "QLinearConv": (
        "x",
        "x_scale",
        "x_zero",
        "w",
        "w_scale",
        "w_zero",
        "y_scale",
        "y_zero",
        "bias",
    ),
    "QLinearMatMul": ("x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"),
    "QGemm": ("x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "bias", "y_scale", "y_zero"),
    "MatMulIntegerToFloat": ("x", "w", "x_scale", "w_scale", "x_zero", "w_zero", "bias"),
    "MatMulInteger": ("x", "w", "x_zero", "w_zero"),
}
"""Input names of each operator type. ConvInteger is not included: onnxruntime 1.31 has the weights
as the left factor there and uses a kernel that does not saturate.
"""


@dataclass(frozen=True)
class Product:
    """Operator that multiplies uint8 activations by int8 weights.

    Attributes:
        inputs: role ("x", "x_zero", "w_scale", "bias", …) -> name of the tensor, if present.
        attributes: attributes of the operator, such as strides.
        weights: int8 (outputs, terms): weights of each output in the order in which the kernel
            accumulates its terms.
        stored: int8, the weights as stored in the file.
    """

    name: str
    type: str
    inputs: Mapping[str, str]
    output: str
    attributes: Mapping[str, Any]
    weights: Array
    stored: Array

    @property
    def is_convolution(self) -> bool:
        """Return True if its terms are patches of an image."""
        return self.type == "QLinearConv"

    @property
    def channels_last(self) -> bool:
        """Return True if channels are the last axis of its input and output."""
        return bool(self.attributes.get("channels_last", 0))


def as_x86_runs_it(path: Path, level: str = "all") -> Any:
    """Return the graph that ONNX Runtime makes of a file for x86, without changes of the channel
    layout; None if nothing is quantized.

    Args:
        level: the runtime's option `graph_optimization`.

    Raises:
        InvalidFile: the file is no ONNX file, or ONNX Runtime rejects it.
    """
    if not {node.op_type for node in load_onnx(path).graph.node} & INTEGER:
        return None
    package = onnxruntime()
    options = package.SessionOptions()
    options.log_severity_level = _LOG_FATAL
    options.graph_optimization_level = getattr(
        package.GraphOptimizationLevel, LEVELS["extended" if level == "all" else level]
    )
    options.add_session_config_entry(
        "session.qdqisint8allowed", "0"
    )  # the behaviour of x86, even if the lab runs on ARM
    with tempfile.TemporaryDirectory() as folder, quiet():
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        try:
            package.InferenceSession(str(path), options, providers=[PROVIDERS["CPU"][0]])
        except Exception as error:
            raise refusal("ONNX Runtime", str(error), str(path), ORT) from error
        return _apart(load_onnx(Path(options.optimized_model_filepath)))


def _apart(model: Any) -> Any:
    """Split DynamicQuantizeMatMul into the two operators it fuses, to separate its product."""
    nodes = [
        part
        for node in model.graph.node
        for part in (_two(node) if node.op_type == "DynamicQuantizeMatMul" else [node])
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _two(node: Any) -> list[Any]:
    from onnx import helper

    x, w, w_scale, w_zero, bias = [*node.input, "", ""][:5]
    made = [f"{node.output[0]}/{what}" for what in ("quantized", "scale", "zero")]
    product = helper.make_node(
        "MatMulIntegerToFloat",
        [made[0], w, made[1], w_scale, made[2], w_zero, bias],
        node.output,
        name=node.name,
        domain="com.microsoft",
    )
    return [helper.make_node("DynamicQuantizeLinear", [x], made), product]


def products(model: Any) -> list[Product]:
    """Return the operators of a graph that multiply uint8 activations by stored int8 weights, in
    graph order.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    candidates = (_product(node, stored) for node in model.graph.node if node.op_type in _INPUTS)
    return [product for product in candidates if product is not None]


def _product(node: Any, stored: Mapping[str, Any]) -> Product | None:
    import onnx

    inputs = {
        what: name for what, name in zip(_INPUTS[node.op_type], node.input, strict=False) if name
    }
    tensor, zero = stored.get(inputs["w"]), stored.get(inputs.get("x_zero", ""))
    if tensor is None or tensor.data_type != onnx.TensorProto.INT8:
        return None
    if (
        zero is not None and zero.data_type != onnx.TensorProto.UINT8
    ):  # S8S8, which saturates in no x86 kernel
        return None
    weights = onnx.numpy_helper.to_array(tensor)
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    rows = None if attributes.get("transA") else _rows(node.op_type, weights, attributes)
    name = node.name or node.output[0]
    return (
        rows
        if rows is None
        else Product(name, node.op_type, inputs, node.output[0], attributes, rows, weights)
    )


def _rows(kind: str, weights: Array, attributes: Mapping[str, Any]) -> Array | None:
    """Return the weights as (outputs, terms) in the order of the kernel; None if no saturating
    kernel multiplies them.
    """
    if kind != "QLinearConv":
        rows = weights if attributes.get("transB") else weights.T
        return np.ascontiguousarray(rows) if weights.ndim == 2 else None
    if weights.shape[1] == 1 and weights.shape[0] == attributes.get(
        "group", 1
    ):  # depthwise: a direct kernel in 16 bits
        return None
    return np.ascontiguousarray(
        np.moveaxis(weights, 1, -1).reshape(len(weights), -1)
    )  # kernel position, then channel
