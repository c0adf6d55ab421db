"""Requantization of static int8 TFLite files to one scale per weight tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.formats.tflite.files import (
    is_constant,
    is_scaled_integer,
    load_tflite,
    operator_name,
    packed,
    type_name,
)
from lab.lazy import np
from lab.plugs import Array
from lab.processors._one_scale import Weights, one_scale, rescaled_bias

_SLOTS = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
    "CONV_3D": (0, 1, 2),
}
"""Input positions of each operator's activations, weights and bias."""
_BIASES = {"INT32": "int32", "INT64": "int64"}


@dataclass(frozen=True)
class Found:
    """Weights with several scales; `tensor` and `bias` are the file's tensors, `bias` is None if
    there is no bias.
    """

    name: str
    type: str
    axis: int
    weights: Weights
    tensor: Any
    bias: Any


class File:
    """TFLite file whose weights can be requantized to one scale per tensor.

    Raises:
        InvalidFile: the file is no TFLite file.
    """

    def __init__(self, path: Path) -> None:
        self._content, self._model = path.read_bytes(), load_tflite(path)
        self.several = list(self._find())

    def write(self, target: Path) -> Path:
        """Return the file with one scale per tensor."""
        done: set[int] = set()
        for one in self.several:
            new = one_scale(one.weights, one.axis)
            if one.bias is not None and id(one.bias) not in done:
                done.add(id(one.bias))
                self._rescale_bias(one, new)
            if id(one.tensor) not in done:
                done.add(id(one.tensor))
                self._put(one.tensor, new.stored, new.scale)
        target.write_bytes(packed(self._model, self._content))
        return target

    def _rescale_bias(self, one: Found, new: Weights) -> None:
        scales = np.asarray(one.bias.quantization.scale, dtype=np.float32)
        bias = self._array(one.bias, _BIASES[type_name(one.bias)])
        shared = scales[0] / one.weights.scale[0]
        self._put(
            one.bias,
            rescaled_bias(bias, one.weights.scale, new.scale),
            np.asarray(shared * new.scale),
        )

    def _put(self, tensor: Any, values: Array, scale: Array) -> None:
        """Store new contents in a separate buffer, because other tensors may share the old one."""
        from ai_edge_litert.schema_py_generated import BufferT

        buffer = BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        tensor.buffer = len(self._model.buffers) - 1
        details = tensor.quantization
        details.scale, details.zeroPoint = (
            np.reshape(scale, 1).astype(np.float32),
            np.zeros(1, np.int64),
        )
        details.quantizedDimension = 0

    # --- weights with several scales --------------------------------------------------------------

    def _find(self) -> Iterator[Found]:
        for graph in self._model.subgraphs:
            for operator in graph.operators:
                type_ = operator_name(self._model, operator)
                found = self._of(type_, operator, graph.tensors) if type_ in _SLOTS else None
                if found is not None:
                    yield found

    def _of(self, type_: str, operator: Any, tensors: list[Any]) -> Found | None:
        x, tensor, bias = (
            tensors[i] if i >= 0 else None for i in self._inputs(operator, _SLOTS[type_])
        )
        if x is None or tensor is None or not is_scaled_integer(x) or not self._has_scales(tensor):
            return None
        scale = np.asarray(tensor.quantization.scale, dtype=np.float32)
        weights = Weights(self._array(tensor, np.int8), scale, np.zeros(1, np.int8))
        name = tensors[operator.outputs[0]].name.decode().split(";")[0]
        moved = bias is not None and type_name(bias) in _BIASES and is_constant(self._model, bias)
        return Found(
            name,
            type_,
            int(tensor.quantization.quantizedDimension),
            weights,
            tensor,
            bias if moved else None,
        )

    def _inputs(self, operator: Any, slots: tuple[int, int, int]) -> list[int]:
        return [int(operator.inputs[i]) if i < len(operator.inputs) else -1 for i in slots]

    def _has_scales(self, tensor: Any) -> bool:
        details = tensor.quantization
        several = details is not None and details.scale is not None and len(details.scale) > 1
        return several and type_name(tensor) == "INT8" and is_constant(self._model, tensor)

    def _array(self, tensor: Any, dtype: Any) -> Array:
        buffer = self._model.buffers[tensor.buffer]
        if buffer.size > 1:
            content: Array = np.frombuffer(self._content, np.uint8, buffer.size, buffer.offset)
        else:
            content = np.asarray(buffer.data, dtype=np.uint8)
        return np.frombuffer(content.tobytes(), dtype).reshape([int(n) for n in tensor.shape])
