from __future__ import annotations

import time

import numpy as np
import pytest

from lab.evidence import OperatorTime
from lab.formats.profiling import (
    BUDGET_S,
    FEWEST,
    fed,
    fitted,
    in_turns,
    kind_of,
    said,
    self_times,
    typical,
    warmed,
)
from lab.formats.xnnpack import kind_in_xnnpack, precision_of, with_kinds, with_layers
from lab.plugs import Array, TensorInfo

US = 1e-6


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "compute",
            [
                "Conv",
                "QLinearConv",
                "ConvInteger",
                "FusedConv",
                "QGemm",
                "MatMulNBits",
                "DynamicQuantizeMatMul",
                "GRU",
                "MatMulIntegerToFloat",
                "CONV_2D",
                "DEPTHWISE_CONV_2D",
                "FULLY_CONNECTED",
                "BATCH_MATMUL",
                "Convolution (NHWC, QC8) IGEMM",
                "Fully Connected (NC, F32) GEMM",
                "Batch Matrix Multiply (NC, F32)",
                "FullyConnectedQuantizedLegacy",
                "aten::conv2d",
                "aten::linear",
                "aten::mm",
                "aten::bmm",
                "aten::addmm",
                "quantized::linear_dynamic",
                "quantized::conv2d_relu",
                "ScaledDotProductAttention",
                "mkldnn_convolution",
            ],
        ),
        (
            "quantize",
            [
                "QuantizeLinear",
                "DynamicQuantizeLinear",
                "QUANTIZE",
                "FakeQuantize",
                "aten::quantize_per_tensor",
            ],
        ),
        ("dequantize", ["DequantizeLinear", "DEQUANTIZE", "aten::dequantize"]),
        (
            "layout",
            [
                "Transpose",
                "TRANSPOSE",
                "ReorderInput",
                "ReorderOutput",
                "Reorder",
                "Transpose (ND, X8) Transpose",
                "aten::permute",
                "aten::contiguous",
                "aten::copy_",
                "Copy (NC, X32)",
                "MemcpyToHost",
                "expand_copy.out",
            ],
        ),
        (
            "other",
            [
                "Relu",
                "QLinearAdd",
                "quantized::add_relu",
                "Softmax",
                "Concat",
                "Reshape",
                "Cast",
                "Convert",
                "aten::upsample_linear1d",
                "aten::upsample_bilinear2d",
                "Gather",
                "Clamp (NC)",
                "Mean (ND) Reduce",
                "aten::clamp",
                "aten::sum",
            ],
        ),
    ],
)
def test_what_an_operator_is_for(kind: str, names: list[str]) -> None:
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


def test_a_run_that_was_interrupted_does_not_count() -> None:
    runs = np.full((20, 2), [3.0, 5.0])
    runs[4] = [900.0, 5.0]
    runs[:, 1] += np.linspace(-1, 1, 20)
    np.testing.assert_allclose(typical(runs), [3.0, 5.0])


def test_calls_take_turns() -> None:
    order: list[str] = []
    slow, quick = in_turns(
        4, lambda: (order.append("a"), time.sleep(0.002)), lambda: order.append("b")
    )
    assert order == list("abababab")
    assert slow >= 0.002 > quick > 0


def test_slow_models_run_less_often() -> None:
    order: list[str] = []
    assert warmed(30, lambda: order.append("a"), lambda: order.append("b")) == 30
    assert sorted(order) == list("aaabbb")
    assert warmed(30, lambda: time.sleep(BUDGET_S / 10)) in (FEWEST, 7, 8, 9, 10)
    assert warmed(3, lambda: time.sleep(BUDGET_S / 10)) == 3


def test_time_inside_another_span_is_counted_once() -> None:
    """A loop of 10 with a body of 3 and 4, the second of which holds 1, then one after it."""
    assert self_times([(0, 10), (1, 3), (5, 4), (6, 1), (10, 2)]) == [3, 3, 3, 1, 2]
    assert self_times([(5, 4), (0, 10)]) == [4, 6]


def test_what_timing_costs_is_taken_off_each_operator_alike() -> None:
    found, cost = fitted(
        [OperatorTime("a", "", 10 * US), OperatorTime("b", "", 20 * US, calls=2)], 24 * US
    )
    assert cost == pytest.approx(2 * US)
    assert [o.time_s for o in found] == pytest.approx([8 * US, 16 * US])


def test_no_operator_gives_more_than_it_took() -> None:
    found, cost = fitted(
        [
            OperatorTime("a", "", 1 * US),
            OperatorTime("b", "", 10 * US),
            OperatorTime("c", "", 10 * US),
        ],
        17 * US,
    )
    assert cost == pytest.approx(1.5 * US)
    assert [o.time_s for o in found] == pytest.approx([0.0, 8.5 * US, 8.5 * US])


def test_nothing_is_taken_off_where_operators_take_less_than_the_call() -> None:
    operators = (OperatorTime("a", "", 10 * US),)
    assert fitted(operators, 11 * US) == (operators, 0.0)


def test_an_absurd_excess_is_not_the_profilers() -> None:
    """One operator that was interrupted does not wipe out the others."""
    found, cost = fitted(
        [OperatorTime(n, "", t * US) for n, t in (("a", 4), ("b", 5), ("c", 900))], 10 * US
    )
    assert cost == pytest.approx(5 * US)
    assert [o.time_s for o in found] == pytest.approx([0.0, 0.0, 895 * US])


def test_the_note_says_what_was_taken_off() -> None:
    assert (
        said("Whole microseconds.", 2.04 * US)
        == "Whole microseconds. Timing itself took 2.0 µs an operator, which is taken off."
    )
    assert said("Whole microseconds.", 1e-9) == "Whole microseconds."


class _Session:
    """Takes (2, 3, 4, 4)."""

    input, output = TensorInfo((2, 3, 4, 4), "float16"), TensorInfo((2, 1), "float16")

    def prepare(self, x: Array) -> Array:
        return x.astype(self.input.dtype)

    def run(self, x: Array) -> Array:
        return x


def test_an_item_fills_the_batch_of_the_file_in_its_layout() -> None:
    item = np.arange(48).reshape(1, 4, 4, 3)
    found = fed(_Session(), item)
    assert (found.shape, found.dtype) == ((2, 3, 4, 4), np.float16)
    np.testing.assert_array_equal(found[1], item[0].transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("Convolution (NHWC, QC8) IGEMM", "int8"),
        ("Fully Connected (NC, QDU8, F32, QC8W) GEMM", "int8"),
        ("Fully Connected (NC, QD8, F32, QC4W) GEMM", "int8"),
        ("Fully Connected (NC, F32, QC8W)", "float32"),
        ("Softmax (NC, F32)", "float32"),
        ("Convolution (NHWC, F16) IGEMM", "float16"),
        ("Convolution (NHWC, PF16)", "float16"),
        ("Transpose (ND, X8) Transpose", "int8"),
        ("Add (ND)", ""),
        ("Static Reshape (NC)", ""),
    ],
)
def test_xnnpack_names_tell_what_is_computed_in(name: str, precision: str) -> None:
    assert precision_of(name) == precision


@pytest.mark.parametrize(
    ("name", "before", "after", "kind"),
    [
        ("Convert (NC, F32, QDU8)", "", "", "quantize"),
        ("Convert (NC, QS8, F32)", "", "", "dequantize"),
        ("Convert (NC, QS8)", "", "", "quantize"),
        ("Convert (NC, F32, F16)", "", "", "other"),
        ("Convert (NC)", "", "Convolution (NHWC, QC8) IGEMM", "quantize"),
        ("Convert (NC)", "Transpose (ND, X8)", "", "dequantize"),
        ("Convert (NC)", "", "Softmax (NC, F32)", "other"),
        ("Clamp (NC)", "Convolution (NHWC, QC8)", "", "other"),
    ],
)
def test_a_conversion_is_told_by_its_types_or_its_neighbours(
    name: str, before: str, after: str, kind: str
) -> None:
    assert kind_in_xnnpack(name, before, after) == kind


def test_layers_go_to_operators_of_their_family_in_turn() -> None:
    names = [
        "Convert (NC, F32, QD8)",
        "Convolution (NHWC, QD8)",
        "Clamp (NC)",
        "Add (ND)",
        "Convolution (NHWC, QD8)",
        "Add (ND)",
    ]
    operators = with_kinds([OperatorTime(name, "", US) for name in names])
    found = with_layers(
        operators,
        {"Convolution": ["conv0", "conv1"], "Add": ["add0"], "Fully Connected": ["dense"]},
    )
    assert [o.layer for o in found] == [
        "conv0",
        "conv0",
        "conv0",
        "",
        "conv1",
        "",
    ], "one addition of two is not known to be add0"
    assert found[0].kind == "quantize"
