"""Anatomies of files: quantization around operators, and activations in memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.formats.anatomy import anatomy, planned
from lab.formats.onnx.fused import fused
from lab.formats.onnx.weights import constant_tensors
from lab.types import Layer
from tests import onnx_graphs as graphs
from tests import tiny
from tests.unit.formats.test_anatomy import CONV, DENSE, ITEM, PLANE, by_name


def quantized(wide: bool = False) -> dict[str, Any]:
    kind = np.int16 if wide else np.uint8
    return {
        "s": np.float32(0.1),
        "z": kind(0),
        "w": np.ones((4, 4), np.int8),
        "ws": np.float32(0.5),
    }


def pair(source: str, number: int) -> list[Any]:
    """QuantizeLinear and DequantizeLinear of a tensor, whose name gets a number."""
    return [
        graphs.node("QuantizeLinear", f"{source} s z", f"q{number}", f"Q{number}"),
        graphs.node("DequantizeLinear", f"q{number} s z", f"d{number}", f"D{number}"),
    ]


def written(tmp_path: Path, nodes: list[Any], wide: bool = False) -> Path:
    return graphs.write(
        tmp_path / "q.onnx", nodes, quantized(wide), ["n", 4], ["n", 4], opset=21 if wide else 17
    )


WEIGHT = graphs.node("DequantizeLinear", "w ws", "wd", "W")


def test_pairs_around_an_integer_operator_are_absorbed(tmp_path: Path) -> None:
    nodes = [
        *pair("x", 0),
        WEIGHT,
        graphs.node("MatMul", "d0 wd", "m", "product"),
        graphs.node("Relu", "m", "r", "relu"),
        *pair("r", 1),
    ]
    nodes[-1].output[0] = "y"
    found = anatomy(written(tmp_path, nodes), "onnx")
    facts = by_name(found)
    assert found.unfused_pairs == 0
    assert (facts["product"].precision, facts["product"].weights, facts["product"].moved_bytes) == (
        "int8",
        16,
        4 + 16 + 4,
    )
    assert [name for name, o in facts.items() if o.moved_bytes == 0] == ["D0", "W", "relu", "Q1"]
    assert found.live_bytes == (
        4,
        4,
        4,
        8,
        4,
        4,
        4 + 16,
    )  # unpacked weights are no activations; the last one makes floats


def test_a_pair_around_an_operator_that_stays_float_is_in_vain(tmp_path: Path) -> None:
    nodes = [
        graphs.node("Exp", "x", "e", "exp"),
        *pair("e", 0),
        graphs.node("Exp", "d0", "y", "again"),
    ]
    found = anatomy(written(tmp_path, nodes), "onnx")
    assert found.unfused_pairs == 1
    assert by_name(found)["again"].precision == "float32"
    assert [(o.kind, o.precision) for o in found.operators[1:3]] == [
        ("quantize", "int8"),
        ("dequantize", "int8"),
    ]


def test_sixteen_bit_activations_are_not_multiplied_as_integers(tmp_path: Path) -> None:
    nodes = [*pair("x", 0), WEIGHT, graphs.node("MatMul", "d0 wd", "m", "product"), *pair("m", 1)]
    nodes[-1].output[0] = "y"
    found = anatomy(written(tmp_path, nodes, wide=True), "onnx")
    assert (found.unfused_pairs, by_name(found)["product"].precision) == (2, "float32")


@pytest.mark.parametrize("technique", ["onnx_static_int8", "onnx_static_wi8_ai16"])
@pytest.mark.parametrize("write", [graphs.write_residual, graphs.write_attention])
def test_onnxruntime_leaves_as_many_pairs_and_float_products(
    technique: str, write: Any, tmp_path: Path
) -> None:
    """In the graph that it has optimized for this machine's CPU."""
    import onnx
    import onnxruntime

    file = graphs.apply(technique, write(tmp_path / "source.onnx"), tmp_path / "out")
    found, options = anatomy(file, "onnx"), onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = (
        str(tmp_path / "optimized.onnx"),
        4,
    )
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    maker = {name: node.op_type for node in nodes for name in node.output}
    kinds = Counter(node.op_type for node in nodes)
    left = {
        node.input[0]
        for node in nodes
        if node.op_type == "DequantizeLinear" and maker.get(node.input[0]) == "QuantizeLinear"
    }
    products = [o for o in found.operators if o.kind == "compute" and o.precision == "float32"]
    assert sum(kinds[k] for k in ("Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm")) == len(
        products
    )
    assert found.unfused_pairs == pytest.approx(len(left), abs=1)


def test_a_pair_of_tflite_operators_is_in_vain(tmp_path: Path) -> None:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    model = s.ModelT.InitFromPackedBuf(tiny.write_tflite(tmp_path / "t.tflite").read_bytes(), 0)
    graph = model.subgraphs[0]
    x, rounded, back = (
        graph.inputs[0],
        tiny._tensor(s, "rounded", (1, 8, 8, 3), 0),
        tiny._tensor(s, "back", (1, 8, 8, 3), 0),
    )
    rounded.type, rounded.quantization.scale, rounded.quantization.zeroPoint = (
        s.TensorType.INT8,
        [0.1],
        [0],
    )
    graph.tensors += [rounded, back]
    number = len(graph.tensors)
    model.operatorCodes += [
        tiny._code(s, s.BuiltinOperator.QUANTIZE),
        tiny._code(s, s.BuiltinOperator.DEQUANTIZE),
    ]
    graph.operators[0].inputs = [number - 1, *graph.operators[0].inputs[1:]]
    none = s.BuiltinOptions.NONE
    graph.operators = [
        tiny._operator(s, 3, [x], number - 2, none, None),
        tiny._operator(s, 4, [number - 2], number - 1, none, None),
        *graph.operators,
    ]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "pair.tflite").write_bytes(bytes(builder.Output()))
    found = anatomy(tmp_path / "pair.tflite", "tflite")
    assert found.unfused_pairs == 1
    assert [(o.kind, o.precision) for o in found.operators[:2]] == [
        ("quantize", "int8"),
        ("dequantize", "int8"),
    ]
    assert found.parts["scales"] == 4 + 8


def test_quantized_activations_take_a_quarter(
    tiny_onnx: Path, tiny_tflite: Path, tmp_path: Path
) -> None:
    """Whether the file says so itself, or a runtime fuses it. The rounded input of the ONNX file is
    an activation; TFLite's is the input.
    """
    peaks = {
        technique: max(
            anatomy(
                tiny.apply(technique, source, tmp_path / technique), technique.split("_")[0]
            ).live_bytes
        )
        for technique, source in (
            ("onnx_static_int8", tiny_onnx),
            ("tflite_static_wi8_ai8", tiny_tflite),
        )
    }
    assert peaks == {
        "onnx_static_int8": PLANE + ITEM,
        "tflite_static_wi8_ai8": PLANE + tiny.FILTERS,
    }


@pytest.mark.slow
@pytest.mark.parametrize(("reads", "pairs"), [("MatMul", 0), ("Softmax", 1)])
def test_a_fake_quantize_that_no_integer_operator_reads(
    reads: str, pairs: int, tmp_path: Path
) -> None:
    from lab.formats.openvino_ir.files import openvino, write_openvino

    ops = openvino().opset13
    x = ops.parameter([1, 4], np.float32, "x")
    ends = [np.float32(v) for v in (-1, 1, -1, 1)]
    rounded = ops.fake_quantize(x, *ends, 256, name="rounded")
    weights = ops.fake_quantize(ops.constant(np.full((4, 4), 0.5, np.float32)), *ends, 255)
    node = (
        ops.matmul(rounded, weights, False, False, name="MatMul")
        if reads == "MatMul"
        else ops.softmax(rounded, 1, name="Softmax")
    )
    file = write_openvino(openvino().Model([node], [x]), tmp_path / "m.zip")
    found = anatomy(file, "openvino_ir")
    assert found.unfused_pairs == pairs
    assert by_name(found)[reads].precision == ("int8" if pairs == 0 else "float32")


# --- activations in memory ------------------------------------------------------------------------


def test_what_is_absorbed_hands_on_what_it_reads() -> None:
    """a makes 10 bytes, which b hands on under another name: they live until c has read them."""
    rows = [
        Layer("a", "A", (), 0, 0, 40),
        Layer("b", "B", (), 0, 0, 10, ("0",)),
        Layer("c", "C", (), 0, 0, 5, ("1",)),
        Layer("d", "D", (), 0, 0, 1, ("2",)),
    ]
    assert planned(rows) == [40, 50, 15, 6]
    assert planned(rows, {1}, {0: 10}) == [10, 10, 15, 6]


@pytest.mark.slow
def test_integers_that_openvino_stores_in_32_bits_are_weights(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    """So it does with the weights of an ONNX file that rounds activations while it runs."""
    dynamic = tiny.apply("onnx_dynamic_int8", tiny_onnx, tmp_path / "dynamic")
    found = anatomy(tiny.apply("onnx_to_openvino", dynamic, tmp_path / "out"), "openvino_ir")
    conv = next(o for o in found.operators if o.type == "Convolution")
    assert (conv.weights, conv.weight_dtype, conv.weight_bytes) == (CONV, "int32", 4 * CONV)
    assert found.weights >= CONV + DENSE + tiny.FILTERS + tiny.CLASSES


@pytest.mark.parametrize(("machine", "expected"), [("x86_64", set()), ("aarch64", {"a", "b"})])
def test_x86_fuses_no_signed_activations_that_several_read(
    machine: str, expected: set[str], tmp_path: Path
) -> None:
    import onnx

    nodes = [
        *pair("x", 0),
        WEIGHT,
        graphs.node("MatMul", "d0 wd", "a", "one"),
        graphs.node("MatMul", "d0 wd", "b", "two"),
        graphs.node("Add", "a b", "y", "sum"),
    ]
    model = onnx.load(str(written(tmp_path, nodes)))
    assert (
        fused(model, constant_tensors(model), {"q0": "int8", "w": "int8"}, machine).integer
        == expected
    )
    assert fused(model, constant_tensors(model), {"q0": "uint8", "w": "int8"}, machine).integer == {
        "a",
        "b",
    }


def test_a_transpose_between_changes_places_with_the_quantization(tmp_path: Path) -> None:
    nodes = [
        *pair("x", 0),
        WEIGHT,
        graphs.node("Transpose", "d0", "t", "turn", perm=[0, 1]),
        graphs.node("MatMul", "t wd", "m", "product"),
        graphs.node("Reshape", "m shape", "r", "shape"),
        *pair("r", 1),
    ]
    nodes[-1].output[0] = "y"
    stored_ = {**quantized(), "shape": np.array([-1, 4])}
    found = by_name(
        anatomy(graphs.write(tmp_path / "t.onnx", nodes, stored_, ["n", 4], ["n", 4]), "onnx")
    )
    assert (found["product"].precision, found["product"].moved_bytes) == ("int8", 4 + 16 + 4)
    assert (found["turn"].precision, found["turn"].moved_bytes) == ("int8", 8)
