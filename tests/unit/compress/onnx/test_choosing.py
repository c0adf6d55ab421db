"""Chosen layers, counted from the files that came of the choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lab.errors import InvalidOption
from tests import onnx_graphs as graphs

RESIDUAL, ATTENTION, RECURRENT = (
    graphs.write_residual,
    graphs.write_attention,
    graphs.write_recurrent,
)
PRODUCTS = {
    RESIDUAL: ["conv", "depthwise", "dense"],
    ATTENTION: ["query", "key", "value", "scores", "mixed", "head"],
    RECURRENT: [f"gemm{step}" for step in range(4)],
}
EVERY = [(write, layer) for write, layers in PRODUCTS.items() for layer in layers]
INSIDE = {"dense": "dense/MatMulAddFusion"}
"""Layer -> the node that preprocessing makes of it, where it has another name."""

Write = Callable[[Path], Path]


def _static(
    write: Write, tmp_path: Path, notes: dict[str, Any] | None = None, **params: Any
) -> Path:
    tmp_path.mkdir(exist_ok=True)
    return graphs.apply(
        "onnx_static_int8", write(tmp_path / "source.onnx"), tmp_path / "out", notes, **params
    )


@pytest.mark.parametrize(("write", "layer"), EVERY)
def test_one_layer_alone_is_quantized(write: Write, layer: str, tmp_path: Path) -> None:
    file = _static(write, tmp_path, only=[layer])
    assert graphs.integer_products(file) == {INSIDE.get(layer, layer)}


@pytest.mark.parametrize(("write", "layer"), EVERY)
def test_one_layer_alone_stays_float(write: Write, layer: str, tmp_path: Path) -> None:
    file, whole = _static(write, tmp_path, keep_float=[layer]), _static(write, tmp_path / "whole")
    assert graphs.integer_products(whole) - graphs.integer_products(file) == {
        INSIDE.get(layer, layer)
    }
    assert graphs.integer_products(file) < graphs.integer_products(whole)


def test_a_layer_in_float_keeps_the_weights_that_others_share(tmp_path: Path) -> None:
    source = graphs.write_recurrent(tmp_path / "source.onnx")
    file = graphs.apply("onnx_static_int8", source, tmp_path / "out", keep_float=["gemm1"])
    arrays, (kept,) = (
        graphs.stored(file),
        [n for n in onnx.load(str(file)).graph.node if n.name == "gemm1"],
    )
    np.testing.assert_array_equal(arrays[kept.input[1]], graphs.stored(source)["w"])


def test_all_other_layers_compute_what_they_did_in_float(tmp_path: Path) -> None:
    """What only the chosen layer asked to be rounded is rounded for nobody else: the sum beside it
    reads the float tensor.
    """
    source = graphs.write_residual(tmp_path / "source.onnx")
    file = graphs.apply("onnx_static_int8", source, tmp_path / "out", only=["depthwise"])
    sum_ = next(n for n in onnx.load(str(file)).graph.node if n.name == "sum")
    maker = {t: n for n in onnx.load(str(file)).graph.node for t in n.output}
    assert [maker[t].op_type for t in sum_.input] == ["Clip", "DequantizeLinear"]


def test_a_clip_goes_with_the_layer_before(tmp_path: Path) -> None:
    alone = _static(RESIDUAL, tmp_path, only=["conv"])
    assert "Clip" not in graphs.operators(alone)
    notes: dict[str, Any] = {}
    named = _static(RESIDUAL, tmp_path / "named", notes, keep_float=["clip"])
    assert "Clip" not in graphs.operators(named)
    assert notes["layers"] == "clip is computed inside conv"


def test_what_was_fused_is_spoken_for_by_the_layer_that_multiplies(tmp_path: Path) -> None:
    notes: dict[str, Any] = {}
    file = _static(RESIDUAL, tmp_path, notes, keep_float=["norm_mul", "bias"])
    assert graphs.integer_products(file) == {"conv", "depthwise", "dense/MatMulAddFusion"}
    assert notes["layers"] == "norm_mul is computed inside conv; bias is computed inside dense"


def test_a_sum_between_integers_is_said_to_stay_among_them(tmp_path: Path) -> None:
    notes: dict[str, Any] = {}
    _static(RESIDUAL, tmp_path, notes, keep_float=["sum"])
    assert "sum has integer inputs and outputs nevertheless" in notes["layers"]


@pytest.mark.parametrize("layer", ["clip", "norm_mul"])
def test_a_layer_that_is_quantized_with_another_cannot_be_quantized_alone(
    layer: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOption, match=f"quantizes nothing.*{layer}"):
        _static(RESIDUAL, tmp_path, only=[layer])


def test_an_unknown_layer_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="Did you mean 'depthwise'"):
        _static(RESIDUAL, tmp_path, keep_float=["depthwis"])


def test_operator_types_may_be_chosen(tmp_path: Path) -> None:
    assert graphs.integer_products(_static(RESIDUAL, tmp_path, operators=["Conv"])) == {
        "conv",
        "depthwise",
    }
    as_gemm = _static(
        RESIDUAL, tmp_path / "m", operators=["MatMul"]
    )  # preprocessing makes a Gemm of it
    assert graphs.integer_products(as_gemm) == {"dense/MatMulAddFusion"}


def test_operator_types_that_are_never_quantized_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"no operators of this type.*Conv.*'Div'"):
        _static(ATTENTION, tmp_path, operators=["Div"])
    with pytest.raises(InvalidOption, match="quantizes nothing"):
        _static(ATTENTION, tmp_path, operators=["Conv"])


def test_nodes_without_names_are_found_by_what_they_make(tmp_path: Path) -> None:
    nodes = [graphs.node("MatMul", "x a", "t"), graphs.node("MatMul", "t b", "y")]
    square = np.random.default_rng(0).normal(size=(2, 16, 16)).astype(np.float32)
    source = graphs.write(
        tmp_path / "a.onnx", nodes, {"a": square[0], "b": square[1]}, ["n", 16], ["n", 16]
    )
    file = graphs.apply("onnx_static_int8", source, tmp_path / "out", keep_float=["t"])
    kept = next(
        n
        for n in onnx.load(str(file)).graph.node
        if n.output[0].startswith("t") and n.op_type == "MatMul"
    )
    np.testing.assert_array_equal(graphs.stored(file)[kept.input[1]], square[0])


# --- 16-bit activations ---------------------------------------------------------------------------


def _widths(file: Path) -> dict[str, str]:
    """Activation -> integer type that it is stored in."""
    graph, arrays = onnx.load(str(file)).graph, graphs.stored(file)
    return {
        n.input[0]: arrays[n.input[2]].dtype.name
        for n in graph.node
        if n.op_type == "QuantizeLinear"
    }


@pytest.mark.parametrize(
    ("scheme", "narrow", "wide"), [("u8s8", "uint8", "uint16"), ("s8s8", "int8", "int16")]
)
def test_a_wide_layer_reads_and_makes_16_bits(
    scheme: str, narrow: str, wide: str, tmp_path: Path
) -> None:
    found = _widths(_static(RESIDUAL, tmp_path, wide=["depthwise"], scheme=scheme))
    assert {t for t, kind in found.items() if kind == wide} == {"k", "c2"}
    assert set(found.values()) == {narrow, wide}


def test_what_only_moves_numbers_hands_on_their_width(tmp_path: Path) -> None:
    found = _widths(_static(ATTENTION, tmp_path, wide=["scores"]))
    assert {t for t, kind in found.items() if kind == "uint16"} == {"q", "k", "kt", "a"}


def test_16_bits_lose_less(tmp_path: Path) -> None:
    source = graphs.write_attention(tmp_path / "source.onnx")
    x = graphs.items(source)
    loss = {}
    for name, wide in (("none", []), ("one", ["scores"]), ("all", PRODUCTS[ATTENTION])):
        file = graphs.apply("onnx_static_int8", source, tmp_path / name, wide=wide)
        loss[name] = float(np.square(graphs.run(file, x) - graphs.run(source, x)).mean())
    assert loss["all"] < loss["one"] < loss["none"]


# --- the other techniques -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "layer"), [pair for pair in EVERY if pair[1] not in ("scores", "mixed")]
)
def test_dynamic_quantizes_what_is_chosen(write: Write, layer: str, tmp_path: Path) -> None:
    source = write(tmp_path / "source.onnx")
    kinds = ("ConvInteger", "MatMulInteger")
    made = {
        name: graphs.operators(graphs.apply("onnx_dynamic_int8", source, tmp_path / name, **params))
        for name, params in {
            "all": {},
            "only": {"only": [layer]},
            "keep": {"keep_float": [layer]},
        }.items()
    }
    total = {name: sum(counts[kind] for kind in kinds) for name, counts in made.items()}
    assert (total["only"], total["all"] - total["keep"]) == (1, 1)
    assert (
        made["only"]["DequantizeLinear"] == made["keep"]["DequantizeLinear"] == 0
    )  # nobody reads others' integers


def test_dynamic_has_no_products_of_two_activations(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"quantizes nothing.*multiply by weights"):
        graphs.apply(
            "onnx_dynamic_int8",
            graphs.write_attention(tmp_path / "a.onnx"),
            tmp_path / "out",
            only=["scores"],
        )


@pytest.mark.parametrize("technique", ["onnx_dynamic_int8", "onnx_weight_only_wi4"])
def test_gemms_that_share_a_weight_in_even_numbers_answer_as_before(
    technique: str, tmp_path: Path
) -> None:
    source = graphs.write_recurrent(tmp_path / "source.onnx", steps=4)
    x = graphs.items(source)
    file = graphs.apply(
        technique, source, tmp_path / "out", **({"bits": 8} if "only" in technique else {})
    )
    assert np.corrcoef(graphs.run(file, x).ravel(), graphs.run(source, x).ravel())[0, 1] > 0.99
    with_plain = tmp_path / "plain.onnx"
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, with_plain)  # transposes the weight four times, which is none
    assert np.corrcoef(graphs.run(with_plain, x).ravel(), graphs.run(source, x).ravel())[0, 1] < 0.9


@pytest.mark.parametrize(
    ("write", "layer"), [p for p in EVERY if p[1] in ("query", "head", "gemm2")]
)
def test_blocks_are_made_of_what_is_chosen(write: Write, layer: str, tmp_path: Path) -> None:
    source = write(tmp_path / "source.onnx")
    made = {
        name: graphs.operators(
            graphs.apply("onnx_weight_only_wi4", source, tmp_path / name, **params)
        )["MatMulNBits"]
        for name, params in {
            "all": {},
            "only": {"only": [layer]},
            "keep": {"keep_float": [layer]},
        }.items()
    }
    assert (made["only"], made["all"] - made["keep"]) == (1, 1)
    assert made["all"] == len([name for name in PRODUCTS[write] if name not in ("scores", "mixed")])
