"""The file's parts and layers, as rows and as bars."""

from __future__ import annotations

import json

import pytest

from lab.evidence import Anatomy, OperatorFacts
from lab.plots import theme
from lab.plots.anatomy import MOST_LAYERS, anatomy_figure, anatomy_info, layer_rows, size_rows

LAYERS = (
    OperatorFacts("small", "Conv", "compute", "int8", "int8", 10, 10, 1, 0.25, 90),
    OperatorFacts("relu", "Relu"),
    OperatorFacts("large", "Gemm", "compute", "float32", "float32", 20, 80, 5),
)
ANATOMY = Anatomy(
    "onnx",
    120,
    {"weights": 90, "embeddings": 0, "scales": 4, "constants": 6, "structure": 20},
    LAYERS,
)


def test_parts_are_the_largest_first_and_add_up() -> None:
    rows = size_rows(ANATOMY)
    assert [row["part"] for row in rows[:2]] == ["weights", "graph, names, metadata"]
    assert sum(row["bytes"] for row in rows) == 120
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_layers_without_weights_have_no_row() -> None:
    large, small = layer_rows(ANATOMY)
    assert (large["layer"], large["share"], large["zeros"], large["at the ends"]) == (
        "large",
        80 / 120,
        5 / 20,
        None,
    )
    assert (small["layer"], small["stored as"], small["at the ends"], small["multiplications"]) == (
        "small",
        "int8",
        0.25,
        90,
    )
    assert len(layer_rows(ANATOMY, 1)) == 1


def test_bars_are_parts_that_take_room_and_then_layers() -> None:
    bars = anatomy_info(ANATOMY)
    assert [(b.label, b.is_layer) for b in bars] == [
        ("weights", False),
        ("graph, names, metadata", False),
        ("shapes, indices, tables", False),
        ("scales and zero points", False),
        ("large", True),
        ("small", True),
    ]
    assert (
        bars[4].text
        == "<b>large</b> (Gemm)<br>80 B, 66.7 % of the file<br>20 weights stored as float32<br>25.0"
        " % are zero"
    )
    assert "25.0 % are at the limits" in bars[5].text


def test_only_the_largest_layers_are_drawn() -> None:
    many = tuple(OperatorFacts(f"l{n}", "Conv", weights=1, weight_bytes=n) for n in range(30))
    layers = [
        b
        for b in anatomy_info(Anatomy("onnx", 500, {"weights": 435, "structure": 65}, many))
        if b.is_layer
    ]
    assert [b.label for b in layers] == [f"l{29 - n}" for n in range(MOST_LAYERS)]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_figure_has_a_line_for_each_bar(mode: theme.Mode) -> None:
    figure = json.loads(anatomy_figure(anatomy_info(ANATOMY), mode).to_json())
    assert [len(trace["y"]) for trace in figure["data"]] == [4, 2]
    assert figure["data"][1]["y"] == [4, 5]
    assert figure["layout"]["yaxis"]["ticktext"][4] == "large"
