"""A batch is one call of the library; where a file takes none, loading it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.registry import runtime
from tests import tiny


@pytest.mark.parametrize("xnnpack", [True, False])
def test_litert_lays_the_graph_out_anew(xnnpack: bool, tiny_tflite: Path) -> None:
    session = runtime("litert").load(str(tiny_tflite), {"batch": 6, "xnnpack": xnnpack})
    assert session.input.shape[0] == session.output.shape[0] == 6
    expected = tiny.answers("litert", tiny_tflite, tiny.items(6))
    np.testing.assert_allclose(session.run(session.prepare(tiny.items(6))), expected, atol=1e-5)


def test_litert_in_16_bit_floats_takes_one_item(tiny_tflite: Path) -> None:
    with pytest.raises(InvalidOption, match="only batch 1 in 16-bit floats"):
        runtime("litert").load(str(tiny_tflite), {"batch": 2, "precision": "float16"})


def test_litert_refuses_a_fixed_shape(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidFile, match=r"batch of 4: a shape is fixed in the graph\..*Choose batch 1"
    ):
        runtime("litert").load(str(fixed_reshape(tmp_path / "fixed.tflite")), {"batch": 4})


def test_litert_refuses_an_operator_that_writes_beyond_its_memory(tmp_path: Path) -> None:
    source = fixed_reshape(tmp_path / "source.tflite")
    file = str(
        tiny.apply("tflite_dynamic_wi8_afp32", source, tmp_path / "out", algorithm="hadamard")
    )
    assert runtime("litert").load(file, {"batch": 1}).input.shape[0] == 1
    with pytest.raises(
        InvalidFile, match=r"hadamard_rotation supports only one item.*hadamard_builtin"
    ):
        runtime("litert").load(file, {"batch": 4})


@pytest.mark.slow
def test_litert_takes_a_shape_that_the_graph_computes(tmp_path: Path) -> None:
    """Keras's Flatten is converted so: the answer has no size before the graph has run."""
    file = tiny.apply("keras_to_tflite", tiny.write_keras(tmp_path / "tiny.keras"), tmp_path)
    session = runtime("litert").load(str(file), {"batch": 4})
    found = session.run(session.prepare(tiny.items(4)))
    np.testing.assert_allclose(found, tiny.answers("litert", file, tiny.items(4)), atol=1e-5)


def fixed_reshape(path: Path) -> Path:
    """The tiny classifier whose pooled features are reshaped to (1, FILTERS), as some converters
    write it.
    """
    from lab.formats.tflite.files import load_tflite

    tiny.write_tflite(path)
    model: Any = load_tflite(path)
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    graph, shape = model.subgraphs[0], np.array([1, tiny.FILTERS], np.int32)
    model.buffers.append(tiny._buffer(s, shape))
    graph.tensors += [
        tiny._tensor(s, "shape", (2,), len(model.buffers) - 1),
        tiny._tensor(s, "flat", (1, tiny.FILTERS), 0),
    ]
    graph.tensors[-2].type = s.TensorType.INT32
    wanted, flat = len(graph.tensors) - 2, len(graph.tensors) - 1
    model.operatorCodes.append(tiny._code(s, s.BuiltinOperator.RESHAPE))
    dense = graph.operators[-1]
    reshape = tiny._operator(
        s, 3, [int(dense.inputs[0]), wanted], flat, s.BuiltinOptions.NONE, None
    )
    dense.inputs = [flat, *map(int, dense.inputs[1:])]
    graph.operators.insert(2, reshape)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_openvino_compiles_for_the_batch_and_fills_up_what_is_left(tiny_openvino: Path) -> None:
    session = runtime("openvino").load(str(tiny_openvino), {"batch": 4})
    assert session.input.shape[0] == 4
    assert session._request.get_compiled_model().input(0).get_shape()[0] == 4
    x = tiny.items(6, channels_first=True)
    np.testing.assert_allclose(
        session.run(session.prepare(x)), tiny.answers("openvino", tiny_openvino, x), atol=1e-5
    )


def test_openvino_lays_a_file_with_a_fixed_batch_out_anew(tmp_path: Path) -> None:
    file = tiny.apply("onnx_to_openvino", tiny.write_onnx(tmp_path / "one.onnx", batch=1), tmp_path)
    x = tiny.items(3, channels_first=True)
    session = runtime("openvino").load(str(file), {"batch": 3})
    np.testing.assert_allclose(
        session.run(session.prepare(x)), tiny.answers("openvino", file, x), atol=1e-5
    )


def test_onnx_runtime_refuses_a_fixed_batch(tmp_path: Path) -> None:
    file = tiny.write_onnx(tmp_path / "one.onnx", batch=1)
    with pytest.raises(InvalidFile, match=r"no batch of 8.*batch 1"):
        runtime("ort").load(str(file), {"batch": 8})


@pytest.mark.slow
def test_torchs_runtimes_refuse_a_fixed_batch(tmp_path: Path) -> None:
    file = tiny.write_torch_export(tmp_path / "two.pt2", batch=2)
    assert runtime("pytorch").load(str(file), {"batch": 2}).input.shape[0] == 2
    with pytest.raises(InvalidFile, match=r"no batch of 8.*batch 2"):
        runtime("pytorch").load(str(file), {"batch": 8})
    with pytest.raises(InvalidFile, match=r"no batch of 8.*batch 1"):
        runtime("executorch").load(
            str(tiny.write_executorch(tmp_path / "one.executorch")), {"batch": 8}
        )
