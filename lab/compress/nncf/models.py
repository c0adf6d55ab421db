"""Models that NNCF quantizes, ONNX and OpenVINO, behind one interface."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Protocol

from lab.formats.feeding import fit_items
from lab.lazy import np
from lab.plugs import Array


class Source(Protocol):
    """A float model file in the form that NNCF reads.

    Attributes:
        format: format of the file.
        model: openvino.Model or onnx.ModelProto.
    """

    format: str
    model: Any

    def feeds(self, x: Array) -> list[Any]:
        """Return calibration items, shape (n, *item), as the feeds of the model, one after the
        other.
        """
        ...

    def outputs(self, model: Any, feeds: Sequence[Any]) -> list[Array]:
        """Return the outputs of a model for each feed."""
        ...

    def quantizers(self, model: Any) -> int:
        """Return the number of quantizers in a model."""
        ...

    def stored(self, model: Any) -> Mapping[str, Array]:
        """Return name -> float tensor, for tensors that a model stores."""
        ...

    def write(self, model: Any, folder: Path) -> Path:
        """Write a model into a folder and return the file."""
        ...


def feeds(x: Array, shape: Sequence[int | None], dtype: Any) -> Iterator[Array]:
    """Yield items in batches of one, or of the size that the file requires.

    Args:
        x: shape (n, *item).
        shape: shape of the model's input, None for a free axis.
    """
    size = shape[0] or 1
    items = fit_items(x, shape).astype(dtype, copy=False)
    for start in range(0, len(items) - len(items) % size, size):
        yield np.ascontiguousarray(items[start : start + size])


class OpenVinoSource:
    """A float OpenVINO file."""

    format = "openvino_ir"

    def __init__(self, path: Path) -> None:
        from lab.formats.openvino_ir.files import node_names
        from lab.formats.openvino_ir.graph import load_float_openvino

        self.model = load_float_openvino(path)
        self._names = node_names(self.model)  # NNCF compresses weights in place

    def feeds(self, x: Array) -> list[Any]:
        """Return arrays: the model has one input."""
        value = self.model.input(0)
        shape = [
            None if size.is_dynamic else size.get_length() for size in value.get_partial_shape()
        ]
        return list(feeds(x, shape, value.get_element_type().to_dtype()))

    def outputs(self, model: Any, feeds: Sequence[Any]) -> list[Array]:
        """Return the outputs of an openvino.CompiledModel, which would compute in the memory of its
        inputs.
        """
        return [model(feed, share_inputs=False)[0] for feed in feeds]

    def quantizers(self, model: Any) -> int:
        """Return the number of FakeQuantize nodes on activations."""
        return sum(op.get_type_name() == "FakeQuantize" for op in model.get_ops())

    def stored(self, model: Any) -> Mapping[str, Array]:
        """Return friendly name -> float constant."""
        constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
        return {
            op.get_friendly_name(): op.data
            for op in constants
            if op.get_element_type().get_type_name() == "f32"
        }

    def in_float(self, model: Any) -> list[str]:
        """Return the friendly names of the layers in float."""
        from lab.formats.openvino_ir.graph import float_operators

        return [op.get_friendly_name() for op in float_operators(model)]

    def write(self, model: Any, folder: Path) -> Path:
        """Write one OpenVINO file with the names of the source."""
        from lab.formats.openvino_ir.files import write_openvino

        return write_openvino(model, folder / "model.zip", self._names)


class OnnxSource:
    """A float ONNX file, whose nodes have the names of its layer table."""

    format = "onnx"

    def __init__(self, path: Path) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        from lab.formats.layers import unique_names
        from lab.formats.onnx.files import load_float_onnx
        from lab.formats.onnx.layers import nodes_and_layers

        self.model = load_float_onnx(path)
        rows = nodes_and_layers(load_float_onnx(path))
        names = dict(
            zip(
                (node.output[0] for node, _ in rows),
                unique_names([row for _, row in rows]),
                strict=True,
            )
        )
        for node in self.model.graph.node:
            node.name = names.get(node.output[0], node.name)

    def feeds(self, x: Array) -> list[Any]:
        """Return dictionaries input name -> array."""
        import onnx

        stored = {tensor.name for tensor in self.model.graph.initializer}
        value = next(value for value in self.model.graph.input if value.name not in stored)
        kind = value.type.tensor_type
        shape = [axis.dim_value if axis.dim_value > 0 else None for axis in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        return [{value.name: part} for part in feeds(x, shape, dtype)]

    def outputs(self, model: Any, feeds: Sequence[Any]) -> list[Array]:
        """Return the outputs of an onnx.ModelProto, computed by ONNX Runtime."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return [session.run(None, feed)[0] for feed in feeds]

    def quantizers(self, model: Any) -> int:
        """Return the number of DequantizeLinear nodes."""
        return sum(node.op_type == "DequantizeLinear" for node in model.graph.node)

    def stored(self, model: Any) -> Mapping[str, Array]:
        """Return name -> float initializer of more than one element."""
        import onnx

        tensors = [
            t
            for t in model.graph.initializer
            if t.data_type == onnx.TensorProto.FLOAT and prod(t.dims) > 1
        ]
        return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in tensors}

    def write(self, model: Any, folder: Path) -> Path:
        """Write one ONNX file."""
        import onnx

        del model.graph.value_info[
            :
        ]  # shapes that NNCF inferred contradict its own nodes, on which the next tool fails
        onnx.save(model, str(folder / "model.onnx"))
        return folder / "model.onnx"
