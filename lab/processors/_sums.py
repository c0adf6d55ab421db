"""Sums of a product of uint8 activations and int8 weights: exact sums, and the overflow of
saturating pairs of terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product as all_of
from math import prod
from typing import Any

from lab.formats.onnx.sessions import PROVIDERS, onnxruntime
from lab.lazy import np
from lab.plugs import Array
from lab.processors._products import Product
from lab.processors._saturation import Risk, overflow, risks

Starts = list[tuple[int, ...]]
_EXACT_FLOAT = 2**24
"""Largest integer up to which float32 represents every integer, so that sums are exact in any
order.
"""
_AT_ONCE = 4_000_000
"""Number of sums whose overflow is held in memory at once."""


class MatrixSums:
    """Sums over the last axis, shape (…, terms) -> (…, outputs)."""

    def __init__(self, product: Product, w_zero: Array) -> None:
        self._outputs, self._risks = len(product.weights), risks(product.weights)
        self._shifted = _shifted(product.weights, w_zero)

    def exact(self, x: Array, zero: int) -> Array:
        """Compute Σ (x − zero) · (w − w_zero) as int32; float64 is exact for these integers up to
        2⁵³.
        """
        kind = np.dtype(np.float32 if _fits(self._shifted, zero) else np.float64)
        sums: Array = (np.subtract(x, zero, dtype=kind) @ self._shifted.T.astype(kind)).astype(
            np.int32
        )
        return sums

    def lost(self, x: Array, zero: int) -> Array:
        """Compute the overflow that clipping pairs of terms removes from each sum, int32."""
        del zero
        columns = np.ascontiguousarray(x.reshape(-1, x.shape[-1]).T)
        found = overflow(
            self._risks, lambda term: _row(columns, term), self._outputs, columns.shape[1]
        )
        return found.T.reshape(*x.shape[:-1], self._outputs)


def _row(columns: Array, term: int) -> Array:
    row: Array = columns[term] if term < len(columns) else np.zeros(columns.shape[1], np.uint8)
    return row


class ConvolutionSums:
    """Sums over patches, shape (items, channels, …) -> (items, outputs, …)."""

    def __init__(self, product: Product, w_zero: Array) -> None:
        self._stored, self._attributes = (
            product.stored,
            {k: v for k, v in product.attributes.items() if k in _GEOMETRY},
        )
        self._shifted, self._w_zero = _shifted(product.weights, w_zero), int(np.ravel(w_zero)[0])
        self._risks = [
            risks(part)
            for part in np.split(product.weights, int(product.attributes.get("group", 1)))
        ]
        self._session: Any = None

    def exact(self, x: Array, zero: int) -> Array:
        """Compute Σ (x − zero) · (w − w_zero) as int32 in ONNX Runtime: in float if that is exact,
        else with uint8 weights.

        Padding represents 0, which is the stored value `zero`.
        """
        if self._session is None:
            build = _float_convolution if _fits(self._shifted, 255) else _unsigned_convolution
            self._session = build(self._stored, self._w_zero, self._attributes)
        sums: Array = self._session.run(None, {"x": x, "zero": np.asarray(zero, dtype=np.uint8)})[0]
        return sums

    def lost(self, x: Array, zero: int) -> Array:
        """Compute the overflow that clipping pairs of terms removes from each sum, int32."""
        starts, steps, sizes, padded = self._geometry(x, zero)
        groups = np.split(padded, len(self._risks), axis=1)
        lost = np.empty((len(x), len(self._stored), *sizes), np.int32)
        at_once = max(1, _AT_ONCE // max(1, prod(lost.shape[1:])))
        for first in range(0, len(x), at_once):
            items = slice(first, first + at_once)
            parts = [
                self._lost(found, group[items], starts, steps, sizes)
                for found, group in zip(self._risks, groups, strict=True)
            ]
            lost[items] = np.moveaxis(np.concatenate(parts), 0, 1)
        return lost

    def _lost(
        self, found: list[Risk], x: Array, starts: Starts, steps: list[int], sizes: list[int]
    ) -> Array:
        """Compute the overflow of one group's outputs: int32 (outputs, items, …)."""
        outputs = len(self._stored) // len(self._risks)
        lost = overflow(found, _patches(x, starts, steps, sizes), outputs, len(x) * prod(sizes))
        return lost.reshape(outputs, len(x), *sizes)

    def _geometry(self, x: Array, zero: int) -> tuple[Starts, list[int], list[int], Array]:
        """Return the start of each kernel position, strides, output sizes, and the padded input."""
        kernel, image = self._stored.shape[2:], x.shape[2:]
        steps = list(self._attributes.get("strides", [1] * len(kernel)))
        apart = list(self._attributes.get("dilations", [1] * len(kernel)))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, apart, strict=True)]
        pads = _pads(self._attributes, image, reach, steps)
        padded = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=zero)
        sizes = [(n - r) // s + 1 for n, r, s in zip(padded.shape[2:], reach, steps, strict=True)]
        starts = [
            tuple(i * d for i, d in zip(at, apart, strict=True))
            for at in all_of(*map(range, kernel))
        ]
        return starts, steps, sizes, padded


_GEOMETRY = {"strides", "dilations", "pads", "auto_pad", "group", "kernel_shape"}


def _patches(
    x: Array, starts: Starts, steps: list[int], sizes: list[int]
) -> Callable[[int], Array]:
    """Return a function from the index of a term (kernel position, then channel) to its activations
    over all items and output positions.
    """
    channels = x.shape[1]

    def term(number: int) -> Array:
        if number >= channels * len(starts):  # odd number of terms: the kernel pads with zeros
            return np.zeros(len(x) * prod(sizes), np.uint8)
        position, channel = divmod(number, channels)
        span = [
            slice(first, first + (n - 1) * step + 1, step)
            for first, step, n in zip(starts[position], steps, sizes, strict=True)
        ]
        return np.ravel(x[(slice(None), channel, *span)])

    return term


def _pads(
    attributes: Mapping[str, Any], image: tuple[int, ...], reach: list[int], steps: list[int]
) -> list[tuple[int, int]]:
    """Return the padding before and after each axis (ONNX's Conv: pads, auto_pad)."""
    how = attributes.get("auto_pad", b"NOTSET")
    if how in (b"SAME_UPPER", b"SAME_LOWER"):
        missing = [
            max(0, (-(-n // s) - 1) * s + r - n)
            for n, r, s in zip(image, reach, steps, strict=True)
        ]
        less_more = [(m // 2, m - m // 2) for m in missing]
        return less_more if how == b"SAME_UPPER" else [(more, less) for less, more in less_more]
    pads = [0] * 2 * len(image) if how == b"VALID" else attributes.get("pads", [0] * 2 * len(image))
    return list(zip(pads[: len(image)], pads[len(image) :], strict=True))


def _shifted(weights: Array, w_zero: Array) -> Array:
    """Return the weights minus their zero points, float64 (outputs, terms)."""
    shifted: Array = weights.astype(np.float64) - np.reshape(w_zero, (-1, 1)).astype(np.float64)
    return shifted


def _fits(shifted: Array, zero: int) -> bool:
    """Return True if all sums are exact in float32 for any activations."""
    return bool(max(zero, 255 - zero) * np.abs(shifted).sum(axis=1).max(initial=0) < _EXACT_FLOAT)


def _float_convolution(stored: Array, w_zero: int, attributes: Mapping[str, Any]) -> Any:
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["x"], ["x_float"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["zero"], ["zero_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["x_float", "zero_float"], ["shifted"]),
        helper.make_node("Conv", ["shifted", "w"], ["sums_float"], **attributes),
        helper.make_node("Cast", ["sums_float"], ["sums"], to=TensorProto.INT32),
    ]
    return _session(
        nodes, {"w": (stored.astype(np.int32) - w_zero).astype(np.float32)}, stored.ndim
    )


def _unsigned_convolution(stored: Array, w_zero: int, attributes: Mapping[str, Any]) -> Any:
    """Compute the sums with uint8 weights, which is exact on every CPU."""
    from onnx import helper

    nodes = [helper.make_node("ConvInteger", ["x", "w", "zero", "w_zero"], ["sums"], **attributes)]
    unsigned = {
        "w": (stored.astype(np.int32) + 128).astype(np.uint8),
        "w_zero": np.asarray(w_zero + 128, np.uint8),
    }
    return _session(nodes, unsigned, stored.ndim)


def _session(nodes: list[Any], constants: Mapping[str, Array], axes: int) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "sums",
        [
            helper.make_tensor_value_info("x", TensorProto.UINT8, [None] * axes),
            helper.make_tensor_value_info("zero", TensorProto.UINT8, []),
        ],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [None] * axes)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    package = onnxruntime()
    options = package.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return package.InferenceSession(
        model.SerializeToString(), options, providers=[PROVIDERS["CPU"][0]]
    )
