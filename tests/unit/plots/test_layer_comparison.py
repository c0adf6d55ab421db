"""Trials side by side: recipes, differences, layers and sizes as tables and figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest

from lab import registry
from lab.analysis.deltas import corrected, deltas
from lab.analysis.layer_comparison import compare_layers
from lab.analysis.recipe_diff import recipe_diff
from lab.plots.deltas import column, delta_rows, forest_info, forest_spec
from lab.plots.layer_comparison import (
    MOST,
    bars_spec,
    height_of,
    layer_rows,
    parts_info,
    parts_rows,
    time_info,
    unmatched_text,
    weight_rows,
    weights_info,
)
from lab.plots.recipe_diff import diff_json, recipe_diff_rows, same_text
from lab.types import Recipe, Step, Target, TrialDetails
from tests import fakes
from tests.unit.analysis.test_layer_comparison import FLOAT, INT8, SOURCE

EVIL = "<script>alert(1)</script>"
NAMES = ["A · float32", "B · int8"]


@pytest.fixture
def three(tmp_path: Path) -> list:
    made = [
        fakes.trial("float32", 0.96, 300e3, 5.0e-4, baseline=True, spread=(0.01, 1e-5)),
        fakes.trial("int8", 0.90, 100e3, 2.5e-4, position=1, spread=(0.01, 1e-5)),
        fakes.trial(EVIL, 0.955, 60e3, 5.02e-4, position=2, spread=(0.01, 1e-5)),
    ]
    return fakes.with_evidence(made, tmp_path)


def test_recipes_in_words():
    usual = Step("onnx_static_int8")
    made = [
        replace(
            fakes.trial("a", 0.9, 1.0, 1.0),
            recipe=Recipe((Step("torch_to_onnx"), usual)),
            target=Target("ort", {"threads": 1}),
        ),
        replace(
            fakes.trial("b", 0.9, 1.0, 1.0),
            recipe=Recipe(
                (
                    Step("torch_to_onnx"),
                    Step("onnx_static_int8", {"per_channel": True, "calibration_samples": 9}),
                )
            ),
            target=Target("ort", {"threads": 2}),
        ),
    ]
    techniques, runtimes = registry.techniques(), registry.runtimes()
    diff = recipe_diff(made, techniques, runtimes)
    rows = {
        row["Setting"]: (row["A"], row["B"])
        for row in recipe_diff_rows(diff, ["A", "B"], techniques, runtimes)
    }
    options = {o.id: o for o in techniques["onnx_static_int8"].options}
    title = techniques["onnx_static_int8"].title
    label = options["calibration_samples"].label
    assert rows[f"{title}: {label[0].lower()}{label[1:]}"] == (
        str(options["calibration_samples"].default),
        "9",
    )
    assert rows["Runtime option: threads"] == ("1", "2")
    assert len(rows) == 2 + (options["per_channel"].default is not True)
    assert same_text(diff, techniques) == f"Identical in all: {techniques['torch_to_onnx'].title}."


def test_whole_steps_in_words_and_json():
    made = [
        replace(fakes.trial("a", 0.9, 1.0, 1.0), recipe=Recipe(()), target=Target("ort")),
        replace(
            fakes.trial("b", 0.9, 1.0, 1.0),
            recipe=Recipe((Step("gone", {"x": [1, 2], "y": True, "z": ""}),)),
            target=Target("litert"),
        ),
    ]
    diff = recipe_diff(made, registry.techniques(), registry.runtimes())
    rows = recipe_diff_rows(diff, ["A", "B"], registry.techniques(), registry.runtimes())
    assert rows[0] == {"Setting": "Step 1", "A": "–", "B": "gone (x: 1, 2; y: on; z: none)"}
    assert rows[1] == {"Setting": "Runs on", "A": "ONNX Runtime", "B": "LiteRT (CPU)"}
    assert diff_json(diff)["rows"][0]["values"] == [
        None,
        {"technique": "gone", "params": {"x": [1, 2], "y": True, "z": ""}},
    ]


def test_the_forest_has_a_point_for_each_number_with_its_interval(three):
    found = deltas(three[0], three[1:], fakes.METRICS)
    named = [(t.id, column(n, t)) for n, t in enumerate(three)][1:]
    info = forest_info(found, fakes.METRICS, named, "A", "ratio")
    spec = forest_spec(info)
    go.Figure(spec)  # Plotly accepts it
    ratios = [d for d in found if d.kind == "ratio"]
    for trace, t in zip(spec["data"], three[1:], strict=True):
        mine = [d for d in ratios if d.trial == t.id]
        assert trace["x"] == [d.value for d in mine]
        hollow = [color == "#FFFFFF" for color in trace["marker"]["color"]]
        assert hollow == [not d.differs for d in mine]
        for d, up, down in zip(
            mine, trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True
        ):
            assert (up, down) == (
                (0, 0)
                if d.low is None
                else (pytest.approx(d.high - d.value), pytest.approx(d.value - d.low))
            )
    assert "Latency (median) ↓" in info.labels
    points = forest_info(found, fakes.METRICS, named, "A", "change")
    assert points.rows[0].value == pytest.approx(
        100 * next(d.value for d in found if d.kind == "change")
    )
    assert "<script" not in repr(spec)
    assert "<script" not in repr(forest_spec(points))


def test_numbers_beside_the_references(three):
    known = corrected(three[0], three[1:], list(fakes.METRICS))
    rows = {row["Metric"]: row for row in delta_rows(three, fakes.METRICS, known)}
    assert rows["File size"] == {
        "Metric": "File size",
        "A · float32": "300 kB",
        "B · int8": "100 kB · 3.00× smaller",
        f"C · {EVIL}": "60.0 kB · 5.00× smaller",
    }
    assert rows["Latency (median)"]["B · int8"] == "0.25 ms · 2.00× faster"
    assert rows["Cold load"]["B · int8"] == "20.0 ms · no change"
    assert "Agreement with float" not in rows


def test_accuracy_that_may_be_chance_is_marked(three):
    same = replace(
        three[0],
        id="same",
        measurements={
            **three[0].measurements,
            "latency_s": fakes.measured("latency_s", 5.2e-4, 1e-4),
        },
        details=TrialDetails(),
    )
    (row,) = [
        r
        for r in delta_rows([three[0], same], fakes.METRICS, {})
        if r["Metric"] == "Latency (median)"
    ]
    assert row["B · float32"].endswith("slower ≈")


def test_layers_in_words():
    found = compare_layers([FLOAT, INT8], SOURCE)
    rows = layer_rows(found, NAMES)
    assert rows[1] == {
        "Layer": "body",
        "Type": "Conv",
        "A · float32": "float32 · 7.00 µs",
        "B · int8": "int8 · 1.50 µs",
    }
    assert rows[2]["B · int8"] == "int8"
    assert rows[-1] == {
        "Layer": "elsewhere",
        "Type": "everything else",
        "A · float32": "1.00 µs",
        "B · int8": "–",
    }
    assert weight_rows(found, NAMES)[0]["B · int8"] == "int8 · 10 B"
    assert unmatched_text(found, NAMES) == ""


def test_bars_hold_every_number_that_is_known():
    found = compare_layers([FLOAT, INT8], SOURCE)
    info = time_info(found, NAMES)
    assert info.rows == (
        "stem",
        "body",
        "head",
        "elsewhere: float to integer",
        "elsewhere: everything else",
    )
    spec = bars_spec(info)
    go.Figure(spec)
    total = [sum(trace["x"]) * info.divisor for trace in spec["data"]]
    assert total == pytest.approx([FLOAT.profile.operators_s, INT8.profile.operators_s])
    sizes = bars_spec(weights_info(found, NAMES))
    assert [sum(t["x"]) for t in sizes["data"]] == [240, 60]
    places = [y for trace in spec["data"] for y in trace["y"]]
    assert len(set(places)) == len(places)


def test_parts_add_up_to_the_files():
    anatomies = [FLOAT.anatomy, INT8.anatomy, None]
    rows = parts_rows(anatomies, [*NAMES, "C"])
    assert rows[-1] == {"Part": "the file", "A · float32": "300 B", "B · int8": "100 B", "C": "–"}
    info = parts_info(anatomies, [*NAMES, "C"])
    assert [sum(v or 0 for v in values) for values in info.values] == [300, 100, 0]


def test_of_many_layers_the_longest_are_drawn_in_their_order():
    found = compare_layers([FLOAT], SOURCE)
    cell = found.layers["body"][0]
    many = replace(
        found,
        layers={f"l{i}": (replace(cell, time_s=1e-6 * ((7 * i) % 40 + 1)),) for i in range(40)},
        rest=({},),
    )
    info = time_info(many, ["A"])
    assert len(info.rows) == MOST
    assert info.left_out == 40 - MOST
    numbers = [int(name[1:]) for name in info.rows]
    assert numbers == sorted(numbers)
    assert min(info.values[0]) > max(
        c.time_s for name, (c,) in many.layers.items() if name not in info.rows
    )
    assert height_of(info) > height_of(time_info(found, ["A"]))


def test_layer_names_with_html_stay_text():
    found = compare_layers([FLOAT, INT8], SOURCE)
    evil = replace(found, layers={EVIL: found.layers["body"]})
    assert "<script" not in repr(bars_spec(time_info(evil, [EVIL, "B"])))


def test_what_could_not_be_told_is_said():
    found = replace(
        compare_layers([FLOAT, INT8], SOURCE), looked_into=(True, False), unmatched=(2, 0)
    )
    text = unmatched_text(found, NAMES)
    assert "The file of B · int8 was not analysed" in text
    assert "2 of A · float32" in text
