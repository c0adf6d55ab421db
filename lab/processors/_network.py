"""Emulation of an ONNX file whose products of uint8 and int8 are computed as on another CPU.

The graph that ONNX Runtime makes of the file is cut at those products; the parts between them run
unchanged in ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.onnx.files import load_onnx
from lab.formats.onnx.sessions import PROVIDERS, onnxruntime
from lab.lazy import np
from lab.plugs import Array, TensorInfo
from lab.processors._products import Product, as_x86_runs_it, products
from lab.processors._saturation import can_saturate
from lab.processors._sums import ConvolutionSums, MatrixSums

Values = dict[str, Array]


class Emulated:
    """Session of an ONNX file on an emulated CPU that accumulates products of uint8 and int8 in its
    own way.

    Args:
        path: an ONNX file with one input.
        saturate: True clips pairs of products to 16 bits.
        everything: compute all products of uint8 and int8 this way, not only those that can
            saturate.
        level: the runtime's option `graph_optimization`.

    Raises:
        InvalidFile: ONNX Runtime rejects the file, or it has several inputs.
    """

    def __init__(
        self, path: Path, saturate: bool, everything: bool = False, level: str = "all"
    ) -> None:
        from onnx import numpy_helper

        self._model = as_x86_runs_it(path, level) or load_onnx(path)
        graph = self._model.graph
        self._constants = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        feeds = [value for value in graph.input if value.name not in self._constants]
        if len(feeds) != 1:
            raise InvalidFile(
                "The model must have exactly one input",
                allowed="1",
                given=[value.name for value in feeds],
            )
        self.input, self.output = _info(feeds[0]), _info(graph.output[0])
        self._feed, self._fetch = feeds[0].name, graph.output[0].name
        cut = {
            p.output: p
            for p in products(self._model)
            if everything or can_saturate(p.weights).any()
        }
        self._steps = self._laid_out(cut, saturate)

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Run the model on a batch; shape (batch, *input) -> (batch, *output)."""
        values = {self._feed: x}
        for step in self._steps:
            values |= step.run(values)
            for name in step.last_use:
                values.pop(name, None)
        return values[self._fetch]

    def _laid_out(self, cut: Mapping[str, Product], saturate: bool) -> list[_Segment | _Operator]:
        steps: list[_Segment | _Operator] = []
        waiting: list[Any] = []
        for node in self._model.graph.node:
            if node.output[0] in cut:
                steps += [_Segment(self._model, waiting, self._constants)] if waiting else []
                steps.append(_Operator(cut[node.output[0]], self._constants, saturate))
                waiting = []
            else:
                waiting.append(node)
        steps += [_Segment(self._model, waiting, self._constants)] if waiting else []
        self._tell_uses(steps)
        return steps

    def _tell_uses(self, steps: Sequence[_Segment | _Operator]) -> None:
        """Set the outputs of each segment, and the step after which each tensor is no longer
        needed.
        """
        needed = {self._fetch}
        for step in reversed(steps):
            step.keep(needed)
            step.last_use = step.reads - needed
            needed |= step.reads


def _info(value: Any) -> TensorInfo:
    import onnx

    kind = value.type.tensor_type
    shape = tuple(axis.dim_value if axis.dim_value > 0 else None for axis in kind.shape.dim)
    return TensorInfo(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name)


class _Segment:
    """Nodes between two cuts, with a session of their own that is created once its input types are
    known.
    """

    def __init__(self, model: Any, nodes: Sequence[Any], constants: Mapping[str, Array]) -> None:
        self._model, self._nodes = model, list(nodes)
        made = {name for node in nodes for name in node.output}
        used = {name for node in nodes for name in _reads(node)}
        self.reads, self._made = used - made - set(constants) - {""}, made
        self._stored = used & set(constants)
        self.last_use: set[str] = set()
        self._outputs: list[str] = []
        self._session: Any = None

    def keep(self, needed: set[str]) -> None:
        """Make those of these tensors outputs that this segment computes."""
        self._outputs = sorted(self._made & needed)

    def run(self, values: Mapping[str, Array]) -> Values:
        """Return the tensors that later steps need."""
        feeds = {name: values[name] for name in sorted(self.reads)}
        self._session = self._session or self._open(feeds)
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))

    def _open(self, feeds: Mapping[str, Array]) -> Any:
        from onnx import ValueInfoProto, helper

        inputs = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim
            )
            for name, value in feeds.items()
        ]
        stored = [tensor for tensor in self._model.graph.initializer if tensor.name in self._stored]
        graph = helper.make_graph(
            self._nodes, "part", inputs, [ValueInfoProto(name=n) for n in self._outputs], stored
        )
        part = helper.make_model(
            graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )
        package = onnxruntime()
        options = package.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.graph_optimization_level = (
            package.GraphOptimizationLevel.ORT_DISABLE_ALL
        )  # the graph is already optimized
        return package.InferenceSession(
            part.SerializeToString(), options, providers=[PROVIDERS["CPU"][0]]
        )


def _reads(node: Any) -> set[str]:
    """Yield the tensors that a node reads, including those inside the bodies of loops and
    conditions.
    """
    inner = [sub for a in node.attribute for sub in ([a.g] if a.HasField("g") else a.graphs)]
    made = {name for body in inner for sub in body.node for name in sub.output}
    return set(node.input) | {
        name for body in inner for sub in body.node for name in _reads(sub) if name not in made
    }


class _Operator:
    """One product that is computed in Python."""

    def __init__(self, product: Product, constants: Mapping[str, Array], saturate: bool) -> None:
        self._product, self._constants, self._saturate = product, constants, saturate
        self.reads = set(product.inputs.values()) - set(constants)
        self.last_use: set[str] = set()
        sums = ConvolutionSums if product.is_convolution else MatrixSums
        self._sums = sums(
            product, self._constants.get(product.inputs.get("w_zero", ""), np.zeros(1, np.int8))
        )

    def keep(self, needed: set[str]) -> None:
        """Do nothing, because a product has only one output."""

    def run(self, values: Mapping[str, Array]) -> Values:
        """Return the operator's output."""
        inputs = {
            role: values[n] if n in values else self._constants[n]
            for role, n in self._product.inputs.items()
        }
        x, zero = inputs["x"], int(np.ravel(inputs.get("x_zero", 0))[0])
        x = np.moveaxis(x, -1, 1) if self._product.channels_last else x
        sums = self._sums.exact(x, zero)
        if self._saturate and x.dtype == np.uint8:
            sums -= self._sums.lost(x, zero)
        axis, alpha = (
            (1 if self._product.is_convolution else -1),
            float(self._product.attributes.get("alpha", 1)),
        )
        output = finish(sums, inputs, axis, alpha)
        output = (
            np.ascontiguousarray(np.moveaxis(output, 1, -1))
            if self._product.channels_last
            else output
        )
        return {self._product.output: output}


def finish(sums: Array, inputs: Mapping[str, Array], axis: int, alpha: float = 1.0) -> Array:
    """Apply bias and scales in onnxruntime's order and precision: int32 sums, float32 otherwise.

    Args:
        inputs: "bias", "x_scale", "w_scale", "y_scale" and "y_zero" of the operator, if present.
        axis: output channel axis of the sums.

    Returns:
        uint8 with a "y_scale", float32 with only input scales, and int32 sums without scales.
    """
    if "x_scale" not in inputs:
        return sums
    whole = "bias" in inputs and inputs["bias"].dtype == np.int32
    if whole:
        sums = sums + _along(inputs["bias"], sums, axis)
    scale = np.float32(alpha) * np.ravel(inputs["x_scale"])[0] * np.ravel(inputs["w_scale"])
    if "y_scale" not in inputs:
        real: Array = sums.astype(np.float32) * _along(scale, sums, axis)
        return real + _along(inputs["bias"], sums, axis) if "bias" in inputs and not whole else real
    zero = int(np.ravel(inputs["y_zero"])[0])
    scaled = sums.astype(np.float32)
    scaled *= _along(scale / np.ravel(inputs["y_scale"])[0], sums, axis)
    np.rint(np.clip(scaled, -zero, 255 - zero, out=scaled), out=scaled)
    scaled += zero
    return scaled.astype(np.uint8)


def _along(values: Array, like: Array, axis: int) -> Array:
    """Reshape one value, or one per channel, so that it broadcasts along the channels."""
    shape = [1] * like.ndim
    shape[axis] = -1
    return np.reshape(values, shape)
