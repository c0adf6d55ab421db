"""NNCF's techniques against the float weights, the bit widths, and the integers counted in the
files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.inspect import inspect
from lab.formats.layers import layer_table
from tests import tiny

pytestmark = pytest.mark.slow  # NNCF imports torch
HALF_A_STEP = 0.5001
SCALES_16_BITS = 1e-3
"""What a scale stored in 16 bits adds, as a share of the largest weight."""
CONV, DENSE = "conv0/WithoutBiases", "gemm0/WithoutBiases"
PLAIN = {"bias_correction": "off", "overflow_fix": "off"}


def wanted() -> dict[str, Any]:
    """Float weights as both kinds of files lay them out: output channel first."""
    w = tiny.weights()
    return {"conv": w["conv"].transpose(0, 3, 1, 2), "dense": w["dense"]}


# --- what is stored -------------------------------------------------------------------------------


def openvino_weights(path: Path) -> dict[str, tuple[Any, Any]]:
    """Integers, and real numbers by OpenVINO's own arithmetic, of the convolution and the dense
    layer.
    """
    from lab.formats.openvino_ir.files import load_openvino, openvino

    model, found = load_openvino(path), {}
    for op in model.get_ordered_ops():
        if op.get_type_name() in ("Convolution", "MatMul"):
            value, root = op.input_value(1), op.input_value(1).get_node()
            while root.get_type_name() != "Constant":
                root = root.input_value(0).get_node()
            graph = openvino().Model([value], [])
            real = (
                openvino()
                .Core()
                .compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([])[0]
            )
            found["conv" if op.get_type_name() == "Convolution" else "dense"] = (root, real)
    return found


@pytest.mark.parametrize(
    ("mode", "steps"), [("int8_sym", 127), ("int8_asym", 255), ("int4_sym", 7), ("int4_asym", 15)]
)
def test_compressed_weights_are_within_half_a_step(
    mode: str, steps: int, tiny_openvino: Path, tmp_path: Path
) -> None:
    below = {} if "8" in mode else {"all_layers": True, "group_size": "channel"}
    stored = openvino_weights(
        tiny.apply("nncf_openvino_weights", tiny_openvino, tmp_path, mode=mode, **below)
    )
    for name, weights in wanted().items():
        root, real = stored[name]
        bits = 8 if "8" in mode or name == "conv" else 4
        assert root.get_element_type().bitwidth == bits
        levels = steps if bits == int(mode[3]) else 255
        axes = tuple(range(1, weights.ndim))
        if mode.endswith("asym") or levels == 255:
            span = np.maximum(weights.max(axes, keepdims=True), 0) - np.minimum(
                weights.min(axes, keepdims=True), 0
            )
        else:
            span = np.abs(weights).max(axes, keepdims=True)
        rest = SCALES_16_BITS * np.abs(weights).max()
        zero = (
            1.0 if levels in (255, 15) else HALF_A_STEP
        )  # a zero point is an integer, which moves the ends by half a step
        assert (np.abs(real.reshape(weights.shape) - weights) <= zero * span / levels + rest).all()


def test_static_weights_are_within_half_a_step_of_each_channel(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    stored = openvino_weights(
        tiny.apply("nncf_openvino_static_int8", tiny_openvino, tmp_path, **PLAIN)
    )
    for name, weights in wanted().items():
        root, real = stored[name]
        assert root.data.dtype == np.int8
        step = np.abs(weights).max(tuple(range(1, weights.ndim)), keepdims=True) / 127
        assert (np.abs(real.reshape(weights.shape) - weights) <= HALF_A_STEP * step).all()


def onnx_weights(path: Path) -> dict[str, tuple[Any, Any]]:
    """Integers and scales of the convolution and the dense layer."""
    import onnx

    model = onnx.load(str(path))
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    unpack = {
        node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"
    }
    found = {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            source = unpack[node.input[1]]
            found["conv" if node.op_type == "Conv" else "dense"] = (
                stored[source.input[0]],
                stored[source.input[1]],
            )
    return found


def test_static_onnx_weights_are_within_half_a_step_of_each_channel(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    stored = onnx_weights(tiny.apply("nncf_onnx_static_int8", tiny_onnx, tmp_path, **PLAIN))
    for name, weights in wanted().items():
        integers, scale = stored[name]
        step = scale.reshape(-1, *[1] * (weights.ndim - 1))
        assert integers.dtype == np.int8
        assert (np.abs(integers * step - weights) <= HALF_A_STEP * step).all()
        np.testing.assert_allclose(
            step, np.abs(weights).max(tuple(range(1, weights.ndim)), keepdims=True) / 127, rtol=0.02
        )


@pytest.mark.parametrize(("fix", "largest"), [("all", 64), ("off", 127)])
def test_half_range_weights_use_seven_bits(
    fix: str, largest: int, tiny_openvino: Path, tmp_path: Path
) -> None:
    stored = openvino_weights(
        tiny.apply("nncf_openvino_static_int8", tiny_openvino, tmp_path, overflow_fix=fix)
    )
    for root, _ in stored.values():
        assert largest - 1 <= np.abs(root.data.astype(int)).max() <= largest + 1


def test_half_range_of_the_first_layer_alone_is_the_default(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    stored = openvino_weights(tiny.apply("nncf_openvino_static_int8", tiny_openvino, tmp_path))
    assert np.abs(stored["conv"][0].data.astype(int)).max() <= 65
    assert np.abs(stored["dense"][0].data.astype(int)).max() >= 126


def test_sizes_follow_the_bits(tmp_path: Path) -> None:
    from lab.formats.openvino_ir.files import mapped

    filters = 512
    onnx_file = tiny.write_onnx(tmp_path / "wide.onnx", filters=filters)
    source = tiny.apply("onnx_to_openvino", onnx_file, tmp_path / "source")
    conv, dense = (tiny.weights(filters)[name].size for name in ("conv", "dense"))
    whole = {"mode": "int4_sym", "all_layers": True, "group_size": "channel"}
    for name, params, expected in (
        ("openvino_fp16", {}, 2 * (conv + dense)),
        ("nncf_openvino_static_int8", {}, conv + dense),
        ("nncf_openvino_weights", {"mode": "int8_sym"}, conv + dense),
        ("nncf_openvino_weights", whole, conv + dense / 2),
    ):
        file = tiny.apply(name, source, tmp_path / f"{name}{len(params)}", **params)
        assert mapped(file)[1].size == pytest.approx(expected, abs=9 * filters)  # biases and scales
    file = tiny.apply("nncf_onnx_static_int8", onnx_file, tmp_path / "onnx")
    assert file.stat().st_size == pytest.approx(conv + dense, abs=9 * filters + 3000)


# --- what is quantized ----------------------------------------------------------------------------


def test_every_multiplying_operator_is_quantized_and_counted(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    found = inspect(tiny.apply("nncf_openvino_static_int8", tiny_openvino, tmp_path), "openvino_ir")
    assert found["float_operators"] == {}
    assert (
        found["operators"]["FakeQuantize"] == 3
    )  # before the convolution, the pooling and the dense layer
    assert (found["operators"]["Convolution"], found["operators"]["MatMul"]) == (1, 1)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"keep_float": [CONV]}, {"Convolution": 1}),
        ({"keep_float": [DENSE]}, {"MatMul": 1}),
        ({"only": [CONV]}, {"MatMul": 1}),
        ({"only": [DENSE]}, {"Convolution": 1}),
    ],
)
def test_ignored_layers_stay_float(
    options: dict[str, Any], left: Any, tiny_openvino: Path, tmp_path: Path
) -> None:
    file = tiny.apply("nncf_openvino_static_int8", tiny_openvino, tmp_path, **options)
    assert inspect(file, "openvino_ir")["float_operators"] == left
    kept = "conv" if "Convolution" in left else "dense"
    root, real = openvino_weights(file)[kept]
    assert root.data.dtype == np.float32
    assert (real.reshape(wanted()[kept].shape) == wanted()[kept]).all()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"keep_float": ["conv0"]}, "conv"),
        ({"keep_float": ["gemm0"]}, "dense"),
        ({"only": ["conv0"]}, "dense"),
        ({"only": ["gemm0"]}, "conv"),
    ],
)
def test_ignored_onnx_layers_stay_float(
    options: dict[str, Any], kept: str, tiny_onnx: Path, tmp_path: Path
) -> None:
    assert float_in(tiny.apply("nncf_onnx_static_int8", tiny_onnx, tmp_path, **options)) == {kept}


def float_in(path: Path) -> set[str]:
    """Which of the two layers read float weights."""
    import onnx

    nodes = onnx.load(str(path)).graph.node
    made = {node.output[0]: node.op_type for node in nodes}
    weights = {
        "conv" if n.op_type == "Conv" else "dense": n.input[1]
        for n in nodes
        if n.op_type in ("Conv", "Gemm")
    }
    return {name for name, tensor in weights.items() if made.get(tensor) != "DequantizeLinear"}


def test_nodes_without_names_are_chosen_by_the_names_of_the_table(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(tiny.write_onnx(tmp_path / "tiny.onnx")))
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, str(tmp_path / "nameless.onnx"))
    name = layer_table(tmp_path / "nameless.onnx", "onnx")[0].name
    file = tiny.apply(
        "nncf_onnx_static_int8", tmp_path / "nameless.onnx", tmp_path / "out", keep_float=[name]
    )
    assert float_in(file) == {"conv"}


def test_compressed_layers_can_be_kept_in_float(tiny_openvino: Path, tmp_path: Path) -> None:
    file = tiny.apply("nncf_openvino_weights", tiny_openvino, tmp_path, keep_float=[CONV])
    assert inspect(file, "openvino_ir")["float_operators"] == {"Convolution": 1}


@pytest.mark.parametrize(
    "name", ["nncf_openvino_static_int8", "nncf_openvino_weights", "nncf_openvino_accuracy"]
)
def test_a_layer_that_there_is_not_is_refused(
    name: str, tiny_openvino: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOption, match="keep_float"):
        tiny.apply(name, tiny_openvino, tmp_path, keep_float=["no such layer"])


def test_nothing_to_quantize_is_said(tiny_openvino: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="nothing to quantize"):
        tiny.apply("nncf_openvino_static_int8", tiny_openvino, tmp_path / "static", only=["relu0"])
    with pytest.raises(InvalidFile, match="no weights to compress"):
        tiny.apply(
            "nncf_openvino_weights", tiny_openvino, tmp_path / "weights", keep_float=[CONV, DENSE]
        )
