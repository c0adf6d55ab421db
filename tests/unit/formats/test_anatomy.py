"""What files consist of, against formulas, numpy on the weights, and what runtimes answer."""

from __future__ import annotations

import time
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.evidence import Anatomy, OperatorFacts
from lab.formats.anatomy import anatomy
from lab.formats.stored_weights import floats, integers, unpack
from tests import onnx_graphs as graphs
from tests import stored, tiny

CONV, DENSE = tiny.FILTERS * 9 * tiny.CHANNELS, tiny.FILTERS * tiny.CLASSES
PLANE, ITEM = tiny.SIDE**2 * tiny.FILTERS, tiny.SIDE**2 * tiny.CHANNELS


def by_name(found: Anatomy) -> dict[str, OperatorFacts]:
    return {o.name: o for o in found.operators}


# --- a whole file ---------------------------------------------------------------------------------


def test_an_onnx_file_whole(tiny_onnx: Path) -> None:
    found = anatomy(tiny_onnx, "onnx")
    conv_weights, dense_weights = CONV + tiny.FILTERS, DENSE + tiny.CLASSES
    assert found.operators == (
        OperatorFacts(
            "conv0",
            "Conv",
            "compute",
            "float32",
            "float32",
            conv_weights,
            4 * conv_weights,
            macs=tiny.SIDE**2 * CONV,
            moved_bytes=4 * (ITEM + conv_weights + PLANE),
        ),
        OperatorFacts("relu0", "Relu", "other", "float32", macs=0, moved_bytes=8 * PLANE),
        OperatorFacts(
            "pool0",
            "AveragePool",
            "other",
            "float32",
            macs=0,
            moved_bytes=4 * (PLANE + tiny.FILTERS),
        ),
        OperatorFacts(
            "gemm0",
            "Gemm",
            "compute",
            "float32",
            "float32",
            dense_weights,
            4 * dense_weights,
            macs=DENSE,
            moved_bytes=4 * (tiny.FILTERS + dense_weights + tiny.CLASSES),
        ),
    )
    stored_bytes = 4 * (conv_weights + dense_weights)
    assert found.parts == {
        "weights": stored_bytes,
        "embeddings": 0,
        "scales": 0,
        "constants": 0,
        "structure": tiny_onnx.stat().st_size - stored_bytes,
    }
    assert found.live_bytes == (
        4 * PLANE,
        8 * PLANE,
        4 * (PLANE + tiny.FILTERS),
        4 * (tiny.FILTERS + tiny.CLASSES),
    )
    assert found.unfused_pairs == 0


def test_a_tflite_file_whole(tiny_tflite: Path) -> None:
    conv, pool, dense = anatomy(tiny_tflite, "tflite").operators
    assert (conv.name, conv.kind, conv.precision, conv.weights) == (
        "relu",
        "compute",
        "float32",
        CONV + tiny.FILTERS,
    )
    assert conv.moved_bytes == 4 * (ITEM + CONV + tiny.FILTERS + PLANE)
    assert (pool.kind, pool.weights, pool.moved_bytes) == ("other", 0, 4 * (PLANE + tiny.FILTERS))
    assert (dense.weights, dense.macs) == (DENSE + tiny.CLASSES, DENSE)


def test_other_formats_are_refused(tiny_onnx: Path) -> None:
    with pytest.raises(InvalidFile, match="onnx, openvino_ir, tflite"):
        anatomy(tiny_onnx, "npz")


def test_ten_megabytes_take_a_moment(tmp_path: Path) -> None:
    """Of the process's own time: others may be busy."""
    width, layers = 512, 10
    weights = {f"w{i}": np.ones((width, width), np.float32) for i in range(layers)}
    nodes = [
        graphs.node("MatMul", f"{f'a{i - 1}' if i else 'x'} w{i}", f"a{i}", f"m{i}")
        for i in range(layers)
    ]
    nodes[-1].output[0] = "y"
    file = graphs.write(tmp_path / "wide.onnx", nodes, weights, ["n", width], ["n", width])
    anatomy(file, "onnx")
    start = time.process_time()
    assert anatomy(file, "onnx").parts["weights"] == 4 * width**2 * layers
    assert time.process_time() - start < 0.3


# --- how weights are stored -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("technique", "bits", "dtype"),
    [
        ("tflite_weight_only_wi8", 8, "int8"),
        ("tflite_dynamic_wi8_afp32", 8, "int8"),
        ("tflite_static_wi8_ai8", 8, "int8"),
        ("tflite_weight_only_wi4", 4, "int4"),
        ("tflite_weight_only_wi2", 2, "int2"),
        ("tflite_fp16", 16, "float16"),
        ("onnx_fp16", 16, "float16"),
        ("onnx_static_int8", 8, ""),
    ],
)
def test_weights_take_as_many_bits_as_they_have(
    technique: str, bits: int, dtype: str, tiny_onnx: Path, tiny_tflite: Path, tmp_path: Path
) -> None:
    """Biases are floats or 32-bit integers, or 16-bit floats where everything is."""
    format_ = technique.split("_")[0]
    found = anatomy(
        tiny.apply(technique, {"onnx": tiny_onnx, "tflite": tiny_tflite}[format_], tmp_path),
        format_,
    )
    conv = next(o for o in found.operators if o.type in ("Conv", "CONV_2D"))
    bias = 2 if technique == "onnx_fp16" else 4
    assert conv.weights == CONV + tiny.FILTERS
    assert conv.weight_bytes == CONV * bits / 8 + bias * tiny.FILTERS
    assert conv.weight_dtype in ((dtype,) if dtype else ("int8", "uint8"))
    assert sum(o.weights for o in found.operators if o.kind == "dequantize") == 0


@pytest.mark.parametrize(
    "technique",
    [
        "tflite_weight_only_wi8",
        "tflite_weight_only_wi4",
        "tflite_weight_only_wi2",
        "tflite_static_wi8_ai8",
        "tflite_fp16",
    ],
)
def test_zeros_of_a_tflite_file_are_those_of_its_real_numbers(
    technique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another reader of the format has them, for weights of which two thirds were pruned."""
    whole = tiny.weights()
    monkeypatch.setattr(
        tiny,
        "weights",
        lambda filters=tiny.FILTERS: {
            n: np.where(abs(w) > 0.3, w, 0).astype(w.dtype) for n, w in whole.items()
        },
    )
    file = tiny.apply(technique, tiny.write_tflite(tmp_path / "pruned.tflite"), tmp_path / "out")
    kernels = {name: value for name, value in stored.weights(file).items() if "bias" not in name}
    biases = sum(
        int((value == 0).sum()) for name, value in tiny.weights().items() if "bias" in name
    )
    expected = sum(int((value.values == 0).sum()) for value in kernels.values()) + biases
    assert CONV / 3 < expected == anatomy(file, "tflite").zeros


@pytest.mark.parametrize("technique", ["onnx_static_int8", "onnx_dynamic_int8", "onnx_fp16"])
def test_zeros_of_a_pruned_onnx_file(
    technique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is pruned stays exactly zero, and rounding adds those within half a step of a scale for
    each tensor or channel.
    """
    pruned = {n: np.where(abs(w) > 0.3, w, 0).astype(w.dtype) for n, w in tiny.weights().items()}
    monkeypatch.setattr(tiny, "weights", lambda filters=tiny.FILTERS: pruned)
    source = tiny.write_onnx(tmp_path / "pruned.onnx")
    exact = sum(int((w == 0).sum()) for w in pruned.values())
    assert anatomy(source, "onnx").zeros == exact
    found = anatomy(tiny.apply(technique, source, tmp_path / "out"), "onnx").zeros
    assert exact <= found <= exact + 12


def test_zeros_of_blocks_are_those_that_onnxruntime_multiplies_with(tmp_path: Path) -> None:
    """An identity through the layer shows its weights; 48 inputs fill one and a half blocks of
    32.
    """
    import onnxruntime

    source = graphs.write_attention(tmp_path / "attention.onnx")
    file = graphs.apply("onnx_weight_only_wi4", source, tmp_path / "out")
    found = by_name(anatomy(file, "onnx"))
    name = next(n for n, o in found.items() if o.type == "MatMulNBits")
    weights = _through(file, name, onnxruntime)
    assert found[name].zeros == int((weights == 0).sum())
    assert found[name].weights == weights.size == 48 * 48


def _through(file: Path, name: str, onnxruntime: Any) -> Any:
    """The weights of a MatMulNBits, as float32 from its own kernel."""
    import onnx

    model = onnx.load(str(file))
    node = next(n for n in model.graph.node if n.name == name)
    shown = onnx.helper.make_graph(
        [node],
        "shown",
        [onnx.helper.make_tensor_value_info(node.input[0], 1, [48, 48])],
        [onnx.helper.make_tensor_value_info(node.output[0], 1, [48, 48])],
        [t for t in model.graph.initializer if t.name in node.input],
    )
    alone = onnx.helper.make_model(shown, opset_imports=model.opset_import, ir_version=8)
    session = onnxruntime.InferenceSession(
        alone.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {node.input[0]: np.eye(48, dtype=np.float32)})[0]


def test_an_integer_that_stands_for_zero_need_not_be_zero(tmp_path: Path) -> None:
    stored_ = {
        "w": np.array([[7, 7, 9], [0, 7, 255]], np.uint8),
        "s": np.float32(0.1),
        "z": np.uint8(7),
    }
    nodes = [graphs.node("DequantizeLinear", "w s z", "d"), graphs.node("MatMul", "x d", "y", "m")]
    found = by_name(
        anatomy(graphs.write(tmp_path / "m.onnx", nodes, stored_, ["n", 2], ["n", 3]), "onnx")
    )
    assert (found["m"].zeros, found["m"].weights, found["m"].weight_dtype) == (3, 6, "uint8")


def test_weights_at_the_ends_of_their_range(tmp_path: Path) -> None:
    weights = np.arange(32, dtype=np.int8).reshape(4, 8)
    weights[0, :3] = -128, 127, -127
    nodes = [graphs.node("DequantizeLinear", "w s", "d"), graphs.node("MatMul", "x d", "y", "m")]
    file = graphs.write(
        tmp_path / "m.onnx", nodes, {"w": weights, "s": np.float32(0.1)}, ["n", 4], ["n", 8]
    )
    assert by_name(anatomy(file, "onnx"))["m"].saturated == 3 / 32


@pytest.mark.parametrize(
    ("bits", "signed"), [(4, True), (4, False), (2, True), (2, False), (8, True), (1, False)]
)
def test_packed_integers_come_back(bits: int, signed: bool) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(0).integers(low, low + 2**bits, 37)
    as_bits = [[(int(v) >> b) & 1 for b in range(bits)] for v in values]
    raw = np.packbits(np.array(as_bits, np.uint8).ravel(), bitorder="little")
    assert (unpack(raw, bits, signed, 37) == values).all()
    counted = integers(values, len(raw), "int", bits, signed)
    assert (counted.numbers, counted.size_bytes, counted.zeros) == (
        37,
        ceil(37 * bits / 8),
        int((values == 0).sum()),
    )


def test_minus_zero_is_zero() -> None:
    halves = np.array([0.0, -0.0, 1e-7, -2.0], np.float16)
    assert (
        floats(halves, 8, "float16").zeros
        == floats(halves.view(np.uint16), 8, "float16").zeros
        == 2
    )


def test_an_embedding_is_a_part_of_its_own_and_is_hardly_read(tmp_path: Path) -> None:
    table = np.ones((100, 8), np.float32)
    nodes = [
        graphs.node("Cast", "x", "i", to=7),
        graphs.node("Gather", "table i", "e", "look"),
        graphs.node("ReduceMean", "e", "y", "mean", axes=[1], keepdims=0),
    ]
    found = anatomy(
        graphs.write(tmp_path / "e.onnx", nodes, {"table": table}, ["n", 5], ["n", 8]), "onnx"
    )
    assert (found.parts["embeddings"], found.parts["weights"]) == (table.nbytes, 0)
    look = by_name(found)["look"]
    assert (look.weight_bytes, look.moved_bytes) == (table.nbytes, 5 * 8 + 2 * 5 * 8 * 4)
