"""Requantization of static int8 ONNX files to one scale per weight tensor, in DequantizeLinear and
in integer operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.formats.onnx.files import load_onnx
from lab.lazy import np
from lab.plugs import Array
from lab.processors._one_scale import Weights, one_scale, rescaled_bias

_FLOAT = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Operators with activations, weights and optionally a bias as inputs."""
_INTEGER = {"QLinearConv": (3, 4, 5, 8), "QLinearMatMul": (3, 4, 5, None), "QGemm": (3, 4, 5, 6)}
"""Input positions of each operator's weights, their scale, their zero point, and the bias in units
of both scales.
"""


@dataclass(frozen=True)
class Bias:
    """Bias integers in units of the activation scale times the weight scale.

    Attributes:
        holder: the node that reads them at `slot`; if it is a DequantizeLinear, their scales are
            the next input.
        scales: the scales the node reads; empty if unknown.
    """

    holder: Any
    slot: int
    values: Array
    scales: Array


@dataclass(frozen=True)
class Found:
    """Weights with several scales.

    Attributes:
        name, type: name and type of the operator that multiplies by them.
        holder: the node whose inputs `slots` are weights, scale and zero point.
    """

    name: str
    type: str
    axis: int
    weights: Weights
    holder: Any
    slots: tuple[int, int, int]
    bias: Bias | None


class File:
    """ONNX file whose weights can be requantized to one scale per tensor.

    Raises:
        InvalidFile: the file is no ONNX file.
    """

    def __init__(self, path: Path) -> None:
        self._model = load_onnx(path)
        graph = self._model.graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        self.several = list(self._find())

    def write(self, target: Path) -> Path:
        """Return the file with one scale per tensor."""
        import onnx

        for one in self.several:
            new = one_scale(one.weights, one.axis)
            for slot, value in zip(one.slots, (new.stored, new.scale, new.zero), strict=True):
                self._put(one.holder, slot, value)
            if one.bias is not None:
                self._put_bias(one.bias, one.weights.scale, new.scale)
        onnx.save(self._model, str(target))
        return target

    def _put_bias(self, bias: Bias, before: Array, after: Array) -> None:
        self._put(bias.holder, bias.slot, rescaled_bias(bias.values, before, after))
        if bias.scales.size:
            of_activations = bias.scales[0] / before[0]
            self._put(bias.holder, 1, np.asarray(of_activations * after, dtype=np.float32))
            self._put(bias.holder, 2, np.asarray(0, dtype=np.int32))

    def _put(self, node: Any, slot: int, value: Array) -> None:
        """Make a node read a new stored tensor; the old one may have other readers."""
        from onnx import numpy_helper

        name = f"{node.output[0]}/one_scale/{slot}"
        if name not in self._tensors:
            self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
            self._tensors[name] = self._model.graph.initializer[-1]
        while len(node.input) <= slot:
            node.input.append("")
        node.input[slot] = name

    # --- weights with several scales --------------------------------------------------------------

    def _find(self) -> Iterator[Found]:
        for node in self._model.graph.node:
            if node.op_type in _INTEGER:
                found = self._in_integers(node)
            else:
                found = self._dequantized(node) if node.op_type in _FLOAT else None
            if found is not None and found.weights.scale.size > 1 and found.weights.stored.ndim > 1:
                yield found

    def _dequantized(self, node: Any) -> Found | None:
        """Return the weights of an operator whose activations are dequantized too."""
        reader, holder = (self._dequantizer(node.input[i]) for i in (0, 1))
        weights = (
            self._weights(holder, 0, 1, 2) if reader is not None and holder is not None else None
        )
        if weights is None or (details := _attributes(holder)).get("block_size", 0):
            return None
        axis, bias = (
            details.get("axis", 1) % weights.stored.ndim,
            self._dequantized_bias(node, weights),
        )
        return Found(
            node.name or node.output[0], node.op_type, axis, weights, holder, (0, 1, 2), bias
        )

    def _dequantizer(self, name: str) -> Any:
        """Return the DequantizeLinear that computes a tensor, or None."""
        maker = self._makers.get(name)
        return maker if maker is not None and maker.op_type == "DequantizeLinear" else None

    def _dequantized_bias(self, node: Any, weights: Weights) -> Bias | None:
        maker = self._dequantizer(node.input[2]) if len(node.input) > 2 else None
        if maker is None or not set(maker.input[:2]) <= set(self._tensors):
            return None
        values, scales = (self._array(name) for name in maker.input[:2])
        return Bias(maker, 0, values, scales) if scales.shape == weights.scale.shape else None

    def _in_integers(self, node: Any) -> Found | None:
        stored, scale, zero, bias = _INTEGER[node.op_type]
        weights = self._weights(node, stored, scale, zero)
        if weights is None:
            return None
        axis = (
            0
            if node.op_type == "QLinearConv" or _attributes(node).get("transB", 0)
            else weights.stored.ndim - 1
        )
        named = node.input[bias] if bias is not None and len(node.input) > bias else ""
        moved = (
            Bias(node, bias or 0, self._array(named), np.empty(0))
            if named in self._tensors
            else None
        )
        return Found(
            node.name or node.output[0],
            node.op_type,
            axis,
            weights,
            node,
            (stored, scale, zero),
            moved,
        )

    def _weights(self, node: Any, stored: int, scale: int, zero: int) -> Weights | None:
        """Return stored 8-bit weights with their scale; None if a part is computed or has another
        type.
        """
        if not {node.input[stored], node.input[scale]} <= set(self._tensors):
            return None
        integers = self._array(node.input[stored])
        if integers.dtype not in (np.int8, np.uint8):
            return None
        named = node.input[zero] if len(node.input) > zero else ""
        if named and named not in self._tensors:
            return None
        return Weights(
            integers,
            np.ravel(self._array(node.input[scale])),
            np.ravel(self._array(named)) if named else np.zeros(1, integers.dtype),
        )

    def _array(self, name: str) -> Array:
        from onnx import numpy_helper

        array: Array = numpy_helper.to_array(self._tensors[name])
        return array


def _attributes(node: Any) -> dict[str, Any]:
    return {a.name: a.i for a in node.attribute}
