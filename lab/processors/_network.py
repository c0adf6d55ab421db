"""Runs an ONNX file in ONNX Runtime, but computes its products of uint8 and int8 as another CPU
does.

The graph that ONNX Runtime makes of the file is cut at those products; what lies between runs in
ONNX Runtime as it is.
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
    """A session of an ONNX file on a CPU that adds up products of uint8 and int8 in its own way.

    Args:
        path: an ONNX file with one input.
        saturate: whether pairs of products are clipped to 16 bits.
        everything: compute all products of uint8 and int8 this way, not only those that can
            saturate.
        level: the runtime's option `graph_optimization`.

    Raises:
        InvalidFile: ONNX Runtime refuses the file, or it has several inputs.
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
                "The model must have one input", allowed="1", given=[value.name for value in feeds]
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
        """The batch in the type that the model takes."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Shape (batch, *input) -> (batch, *output)."""
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
        """What each segment must hand on, and after which step each tensor is no longer needed."""
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
    """Nodes between two cuts, as a session of their own that is made when the types of its inputs
    are known.
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
        """Hand on these tensors, where they are made here."""
        self._outputs = sorted(self._made & needed)

    def run(self, values: Mapping[str, Array]) -> Values:
        """The tensors that later steps need."""
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
        )  # it was optimized before
        return package.InferenceSession(
            part.SerializeToString(), options, providers=[PROVIDERS["CPU"][0]]
        )


def _reads(node: Any) -> set[str]:
    """Tensors that a node reads, also inside the bodies of loops and conditions."""
    inner = [sub for a in node.attribute for sub in ([a.g] if a.HasField("g") else a.graphs)]
    made = {name for body in inner for sub in body.node for name in sub.output}
    return set(node.input) | {
        name for body in inner for sub in body.node for name in _reads(sub) if name not in made
    }


class _Operator:
    """One product, computed here."""

    def __init__(self, product: Product, constants: Mapping[str, Array], saturate: bool) -> None:
        self._product, self._constants, self._saturate = product, constants, saturate
        self.reads = set(product.inputs.values()) - set(constants)
        self.last_use: set[str] = set()
        sums = ConvolutionSums if product.is_convolution else MatrixSums
        self._sums = sums(
            product, self._constants.get(product.inputs.get("w_zero", ""), np.zeros(1, np.int8))
        )

    def keep(self, needed: set[str]) -> None:
        """Nothing to choose: it has one output."""

    def run(self, values: Mapping[str, Array]) -> Values:
        """The operator's output."""
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
    """Bias and scales, in the order and the precision of onnxruntime: int32 sums, everything else
    float32.

    Args:
        inputs: "bias", "x_scale", "w_scale", "y_scale" and "y_zero" of the operator, as far as it
            has them.
        axis: the sums' axis of output channels.

    Returns:
        uint8 with a "y_scale", float32 with scales of the inputs only, and int32 sums without any.
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
    """One value, or one a channel, in the shape that broadcasts along the channels."""
    shape = [1] * like.ndim
    shape[axis] = -1
    return np.reshape(values, shape)
