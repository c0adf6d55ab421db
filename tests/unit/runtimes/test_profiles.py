"""What each runtime's profile tells of real files; what all of them have in common is a contract
test.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import LabError
from lab.evidence import OperatorTime, Profile
from lab.formats.layers import layer_table
from lab.registry import runtime
from tests import tiny

WIDE = 1024
SIDE = tiny.SIDE


def _profile(id_: str, file: Path, runs: int = 20, **options: Any) -> Profile:
    profile = runtime(id_).profile
    assert profile
    return profile(str(file), options, tiny.items(1), runs)


def _of(found: Profile) -> Mapping[str, OperatorTime]:
    return {o.operator: o for o in found.operators}


@pytest.mark.parametrize(
    ("id_", "options"),
    [
        ("ort", {}),
        ("ort", {"graph_optimization": "disabled"}),
        ("openvino", {}),
        ("litert", {}),
        ("litert", {"xnnpack": False}),
    ],
)
def test_operators_add_up_to_the_call(id_: str, options: dict[str, Any], tmp_path: Path) -> None:
    """To within 5 % above and half below, in one of three tries: other work on the machine may
    disturb one.
    """
    tiny.write_onnx(tmp_path / "wide.onnx", filters=WIDE)
    tiny.write_tflite(tmp_path / "wide.tflite", filters=WIDE)
    if id_ == "openvino":
        tiny.apply("onnx_to_openvino", tmp_path / "wide.onnx", tmp_path / "made").rename(
            tmp_path / "wide.zip"
        )
    file = tmp_path / {"ort": "wide.onnx", "openvino": "wide.zip", "litert": "wide.tflite"}[id_]
    tried = [_profile(id_, file, 30, **options) for _ in range(3)]
    shares = [p.operators_s / p.total_s for p in tried]
    assert any(0.5 <= share <= 1.05 for share in shares), shares
    assert all(p.share("compute") > 0.5 for p in tried)


@pytest.mark.parametrize("level", ["disabled", "basic", "extended", "all"])
def test_ort_names_layers_as_the_file_does_however_it_is_rewritten(
    level: str, tiny_onnx: Path
) -> None:
    found = _profile("ort", tiny_onnx, graph_optimization=level)
    assert {o.layer for o in found.operators if o.kind == "compute"} == {"conv0", "gemm0"}
    names = {layer.name for layer in layer_table(tiny_onnx, "onnx")} | {"flat0", ""}
    assert {o.layer for o in found.operators} <= names
    assert {o.placed_on for o in found.operators} == {"CPU"}
    assert {o.operator for o in found.operators if not o.layer} <= {"ReorderInput", "ReorderOutput"}


def test_ort_tells_integers_from_floats_in_a_static_file(tiny_onnx: Path, tmp_path: Path) -> None:
    found = _of(_profile("ort", tiny.apply("onnx_static_int8", tiny_onnx, tmp_path)))
    assert (
        found["QLinearConv"].precision,
        found["QLinearConv"].kind,
        found["QLinearConv"].layer,
    ) == (
        "int8",
        "compute",
        "conv0",
    )
    assert found["QuantizeLinear"].kind == "quantize"
    assert found["DequantizeLinear"].kind == "dequantize"


def test_ort_shows_what_a_dynamic_file_quantizes_while_it_runs(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    found = _profile("ort", tiny.apply("onnx_dynamic_int8", tiny_onnx, tmp_path))
    assert _of(found)["DynamicQuantizeLinear"].kind == "quantize"
    assert _of(found)["ConvInteger"].precision == "int8"
    assert 0 < found.share("quantize") < found.share("compute")


def _transposing(path: Path) -> Path:
    """(n, 3, 8, 8) with channels last, then multiplied by (3, 5)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["t", "w"], ["y"], name="mul"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", tiny.CHANNELS, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", SIDE, SIDE, 5])],
        [numpy_helper.from_array(np.ones((tiny.CHANNELS, 5), np.float32), "w")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
    )
    return path


def test_a_transposition_is_layout(tmp_path: Path) -> None:
    file = _transposing(tmp_path / "t.onnx")
    found = _of(_profile("ort", file))
    assert (found["Transpose"].kind, found["Transpose"].layer) == ("layout", "turn")
    found = _of(_profile("openvino", tiny.apply("onnx_to_openvino", file, tmp_path / "made")))
    assert {o.kind for o in found.values() if o.operator in ("Transpose", "Reorder")} <= {"layout"}


def test_ort_computes_4_bit_weights_in_integers_from_accuracy_level_4_on() -> None:
    from onnx import helper

    from lab.runtimes._ort_profile import _precision

    args = {"input_type_shape": [{"float": [1, 32, 96]}, {"uint8": [96, 3, 16]}]}
    levels = {
        level: helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], accuracy_level=level)
        for level in (0, 1, 4)
    }
    assert {n: _precision("MatMulNBits", args, node) for n, node in levels.items()} == {
        0: "float32",
        1: "float32",
        4: "int8",
    }
    assert _precision("MatMulNBits", {"input_type_shape": [{"float16": [1]}]}, None) == "float16"


def test_ort_leaves_no_record_behind(
    tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _profile("ort", tiny_onnx)
    assert not list(tmp_path.iterdir())


def test_openvino_tells_integers_and_layers(tiny_onnx: Path, tmp_path: Path) -> None:
    made = tiny.apply("onnx_static_int8", tiny_onnx, tmp_path / "int8")
    file = tiny.apply("onnx_to_openvino", made, tmp_path / "openvino")
    found = _profile("openvino", file)
    products = {o.layer: o for o in found.operators if o.kind == "compute"}
    assert products
    assert {o.precision for o in products.values()} == {"int8"}
    assert set(products) <= {layer.name for layer in layer_table(file, "openvino_ir")}


def test_openvinos_averages_are_taken_without_the_first_calls() -> None:
    """3 calls of 100 µs, then 5 blocks of 4 at 7 µs: 8, for the fractions that counting in whole µs
    drops.
    """
    from lab.runtimes._openvino_profile import _steady

    sums = [300e-6 + n * 28e-6 for n in range(6)]
    assert _steady(sums, 4) == pytest.approx(8e-6)
    interrupted = [s + (5e-3 if n >= 3 else 0) for n, s in enumerate(sums)]
    assert _steady(interrupted, 4) == pytest.approx(8e-6), (
        "a block that was interrupted does not count"
    )
    assert _steady([0.0] * 6, 4) == 0.0


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("f32", "u8", "quantize"),
        ("i8", "f32", "dequantize"),
        ("i64", "i32", "other"),
        ("f32", "bf16", "other"),
    ],
)
def test_openvinos_conversions_are_told_by_their_types(before: str, after: str, kind: str) -> None:
    from lab.runtimes._openvino_profile import _kind

    assert _kind("Convert", {"runtimePrecision": before, "outputPrecisions": after}, {}) == kind


def test_openvinos_fused_parts_tell_what_they_are_for() -> None:
    from lab.runtimes._openvino_profile import _kind

    assert _kind("Subgraph", {}, {"a": "MatMul", "b": "Softmax"}) == "compute"
    assert _kind("Subgraph", {}, {"a": "FakeQuantize"}) == "quantize"
    assert _kind("Subgraph", {}, {"a": "FakeQuantize", "b": "Add"}) == "other"


def test_litert_tells_xnnpacks_operators_one_by_one(tiny_tflite: Path) -> None:
    found = _profile("litert", tiny_tflite)
    assert {o.placed_on for o in found.operators} == {"XNNPACK"}
    assert [o.layer for o in found.operators if o.kind == "compute"] == ["relu", "y"]
    assert "half of one is added" in found.note


def test_litert_tells_its_own_kernels_too(tiny_tflite: Path) -> None:
    found = _profile("litert", tiny_tflite, xnnpack=False)
    assert [(o.operator, o.layer) for o in found.operators] == [
        ("CONV_2D", "relu"),
        ("AVERAGE_POOL_2D", "pool"),
        ("FULLY_CONNECTED", "y"),
    ]
    assert {o.placed_on for o in found.operators} == {"LiteRT kernels"}
    assert found.note == ""


@pytest.mark.parametrize("xnnpack", [True, False])
def test_litert_tells_integers_from_floats(
    xnnpack: bool, tiny_tflite: Path, tmp_path: Path
) -> None:
    for technique in ("tflite_static_wi8_ai8", "tflite_dynamic_wi8_afp32"):
        found = _profile(
            "litert", tiny.apply(technique, tiny_tflite, tmp_path / technique), xnnpack=xnnpack
        )
        assert {o.precision for o in found.operators if o.kind == "compute"} == {"int8"}, technique


@pytest.mark.parametrize("xnnpack", [True, False])
def test_litert_profiles_batches_other_than_the_files(xnnpack: bool, tiny_tflite: Path) -> None:
    """A hundred times the items takes several times as long, in the same operators."""
    one, many = (
        _profile("litert", tiny_tflite, xnnpack=xnnpack, batch=batch) for batch in (1, 100)
    )
    assert [o.operator for o in many.operators] == [o.operator for o in one.operators]
    assert many.operators_s > 10 * one.operators_s


def test_litert_profiles_files_whose_batch_is_free(tiny_tflite: Path, tmp_path: Path) -> None:
    import flatbuffers

    from lab.formats.tflite.files import load_tflite

    model = load_tflite(tiny_tflite)
    graph = model.subgraphs[0]
    for index in (*graph.inputs, *graph.outputs):
        graph.tensors[index].shapeSignature = [-1, *map(int, graph.tensors[index].shape[1:])]
    builder, file = flatbuffers.Builder(4096), tmp_path / "free.tflite"
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    assert {o.layer for o in _profile("litert", file).operators if o.kind == "compute"} == {
        "relu",
        "y",
    }


def test_litert_refuses_a_version_whose_library_it_does_not_know(
    tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.runtimes import _litert_library

    monkeypatch.setattr(_litert_library, "version", lambda package: "9.0.0")
    with pytest.raises(LabError, match=r"does not support the profiler.*2\.3\.x.*9\.0\.0"):
        _profile("litert", tiny_tflite)


def test_litert_counts_what_runs_in_a_loop_once() -> None:
    """Two calls of a loop of 100 µs: its body, 30 µs, runs twice in each; the operator after it is
    not in the loop.
    """
    from lab.runtimes._litert_library import OPERATOR, WHOLE, Event
    from lab.runtimes._litert_profile import _lines

    call = [
        Event("Invoke", WHOLE, 0, 130, 0, 0),
        Event("WHILE", OPERATOR, 1, 100, 0, 0),
        Event("ADD", OPERATOR, 2, 30, 0, 1),
        Event("ADD", OPERATOR, 50, 30, 0, 1),
        Event("TANH", OPERATOR, 101, 20, 1, 0),
    ]
    lines = {
        line.event.tag: line.taken
        for line in _lines([*call, *(e._replace(start=e.start + 500) for e in call)])
    }
    assert {tag: sum(t for n, t in taken if n == 0) for tag, taken in lines.items()} == {
        "WHILE": 40,
        "ADD": 60,
        "TANH": 20,
    }
    assert {n for taken in lines.values() for n, _ in taken} == {0, 1}


@pytest.mark.slow
def test_pytorch_names_modules(tiny_torch: Path) -> None:
    found = _profile("pytorch", tiny_torch)
    named = [(o.operator, o.layer) for o in found.operators if o.layer]
    assert [
        n
        for n in named
        if n[0] in ("aten::conv2d", "aten::batch_norm", "aten::relu", "aten::linear")
    ] == [
        ("aten::conv2d", "0"),
        ("aten::batch_norm", "1"),
        ("aten::relu", "2"),
        ("aten::linear", "5"),
    ]
    layers = {layer.name for layer in layer_table(tiny_torch, "torch_export")}
    assert {layer for operator, layer in named if operator != "aten::flatten"} <= layers


@pytest.mark.slow
def test_torchscript_tells_integers_and_their_engine(tiny_torch: Path, tmp_path: Path) -> None:
    file = tiny.apply("torch_fx_static_int8", tiny_torch, tmp_path, engine="onednn")
    found = _profile("torchscript", file)
    products = [o for o in found.operators if o.kind == "compute"]
    assert {(o.precision, o.placed_on) for o in products} == {("int8", "onednn")}
    assert {"quantize", "dequantize"} <= {o.kind for o in found.operators}


@pytest.mark.slow
def test_executorch_tells_xnnpacks_operators_and_its_own(tiny_torch: Path, tmp_path: Path) -> None:
    found = _profile("executorch", tiny.apply("torch_to_executorch", tiny_torch, tmp_path))
    assert {o.placed_on for o in found.operators} <= {"XNNPACK", "ExecuTorch kernels"}
    assert [o.placed_on for o in found.operators if o.kind == "compute"] == ["XNNPACK", "XNNPACK"]
