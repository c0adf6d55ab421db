"""Layers of several files under the source model's names."""

from __future__ import annotations

import pytest

from lab.analysis.layer_comparison import Evidence, compare_layers
from lab.evidence import Anatomy, OperatorFacts, OperatorTime, Profile
from lab.types import Layer

SOURCE = [
    Layer("stem", "Conv", (8,), 10, 1000, 0),
    Layer("relu", "ReLU", (8,), 0, None, 0),
    Layer("body", "Conv", (8,), 20, 2000, 0),
    Layer("head", "Dense", (8,), 30, 300, 0),
]


def facts(
    name: str, macs: int | None, weights: int = 0, dtype: str = "float32", size: int = 0
) -> OperatorFacts:
    return OperatorFacts(name, "Conv", "compute", dtype, dtype, weights, size, macs=macs)


FLOAT = Evidence(
    Anatomy(
        "onnx",
        300,
        {"weights": 240, "structure": 60},
        (
            facts("/c0", 1000, 10, size=40),
            facts("/r", None),
            facts("/c1", 2000, 20, size=80),
            facts("/d", 300, 30, size=120),
        ),
    ),
    Profile(
        (
            OperatorTime("Conv", "/c0", 5e-6, 1, "compute", "float32"),
            OperatorTime("Relu", "/r", 1e-6),
            OperatorTime("Conv", "/c1", 7e-6, 1, "compute", "float32"),
            OperatorTime("Gemm", "/d", 2e-6, 1, "compute", "float32"),
        ),
        10,
        16e-6,
    ),
)
INT8 = Evidence(
    Anatomy(
        "onnx",
        100,
        {"weights": 60, "scales": 12, "structure": 28},
        (
            facts("q", None),
            facts("/c0", 1000, 10, "int8", 10),
            facts("/c1", 2000, 20, "int8", 20),
            facts("/d", 300, 30, "int8", 30),
        ),
    ),
    Profile(
        (
            OperatorTime("QuantizeLinear", "q", 3e-6, 1, "quantize"),
            OperatorTime("QLinearConv", "/c0_quant", 2e-6, 1, "compute", "int8"),
            OperatorTime("QLinearConv", "/c1_quant", 1e-6, 1, "compute", "int8"),
            OperatorTime("QLinearConv", "/c1_quant", 0.5e-6, 1, "compute", "int8"),
        ),
        10,
        7e-6,
    ),
)


def test_layers_are_found_by_order_and_work_under_the_source_models_names():
    found = compare_layers([FLOAT, INT8], SOURCE)
    assert list(found.layers) == ["stem", "body", "head"]
    first, second = found.layers["body"]
    assert (first.precision, first.time_s, first.weight_bytes) == ("float32", 7e-6, 80)
    assert (second.precision, second.time_s, second.weight_bytes, second.stored_as) == (
        "int8",
        pytest.approx(1.5e-6),
        20,
        "int8",
    )
    assert found.layers["head"][1].time_s is None  # the profile does not tell it apart
    assert found.layers["head"][1].precision == "int8"  # the file does
    assert found.types["head"] == "Dense"


def test_all_time_is_in_a_layer_or_elsewhere():
    found = compare_layers([FLOAT, INT8], SOURCE)
    for n, trial in enumerate((FLOAT, INT8)):
        inside = sum(cells[n].time_s or 0 for cells in found.layers.values())
        assert inside + sum(found.rest[n].values()) == pytest.approx(trial.profile.operators_s)
    assert found.rest[1] == {"quantize": 3e-6}


def test_without_the_source_the_first_files_names_do():
    assert list(compare_layers([Evidence(), FLOAT, INT8]).layers) == ["/c0", "/c1", "/d"]


def test_what_is_not_known_is_told_as_missing():
    found = compare_layers([FLOAT, Evidence(profile=INT8.profile), Evidence()], SOURCE)
    assert found.looked_into == (True, False, False)
    assert found.profiled == (True, True, False)
    assert all(cells[1] is None and cells[2] is None for cells in found.layers.values())
    assert sum(found.rest[1].values()) == pytest.approx(INT8.profile.operators_s)


def test_layers_that_are_none_of_the_source_models_are_counted():
    more = Anatomy("onnx", 1, {}, (*FLOAT.anatomy.operators, facts("/extra", 55, 5)))
    assert compare_layers([FLOAT, Evidence(more)], SOURCE).unmatched == (0, 1)
