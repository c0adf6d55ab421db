from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.evidence import OperatorTime, Profile
from lab.plots import theme
from lab.plots.profile import (
    KINDS,
    MOST,
    ProfileInfo,
    color_of,
    height_of,
    kinds_rows,
    profile_figure,
    profile_info,
    profile_json,
    profile_rows,
    profile_spec,
)

US = 1e-6
FLOAT = Profile(
    (
        OperatorTime("Conv", "conv0", 40 * US, 1, "compute", "float32", "CPU"),
        OperatorTime("Relu", "relu0", 10 * US, 1, "other", "float32", "CPU"),
        OperatorTime("ReorderOutput", "", 5 * US, 1, "layout", "float32", "CPU"),
    ),
    runs=30,
    total_s=60 * US,
)
INT8 = Profile(
    (
        OperatorTime("QuantizeLinear", "conv0_quant", 6 * US, 1, "quantize", "float32", "CPU"),
        OperatorTime("QLinearConv", "conv0", 20 * US, 1, "compute", "int8", "CPU"),
        OperatorTime("DequantizeLinear", "y", 4 * US, 2, "dequantize", "int8", "CPU"),
    ),
    runs=30,
    total_s=32 * US,
    note="Nothing is known of relu0.",
)


def _drawn(info: ProfileInfo) -> float:
    """Seconds that the figure's bars show in all."""
    return float(sum(sum(bar.x) for bar in profile_figure(info).data)) * info.divisor


def test_a_bar_for_each_layer_the_longest_first() -> None:
    info = profile_info(FLOAT)
    assert [row.label for row in info.rows] == ["conv0", "relu0", "ReorderOutput"]
    assert [row.longest for row in info.rows] == pytest.approx([40 * US, 10 * US, 5 * US])
    assert (info.divisor, info.suffix) == (US, "µs")
    assert _drawn(info) == pytest.approx(FLOAT.operators_s)


def test_layers_of_two_profiles_are_paired_by_name() -> None:
    """What a tool adds to a layer's name when it quantizes it is left out: quantizing goes to its
    layer's bar.
    """
    info = profile_info(FLOAT, INT8, ("float32", "int8"), order="run")
    assert [row.label for row in info.rows] == ["conv0", "relu0", "ReorderOutput", "y"]
    assert info.rows[0].times == ({"compute": 40 * US}, {"compute": 20 * US, "quantize": 6 * US})
    assert info.rows[1].times[1] == {}
    assert _drawn(info) == pytest.approx(FLOAT.operators_s + INT8.operators_s)


def test_as_they_ran_is_another_order() -> None:
    late = replace(FLOAT, operators=FLOAT.operators[::-1])
    assert [row.label for row in profile_info(late, order="run").rows] == [
        "ReorderOutput",
        "relu0",
        "conv0",
    ]
    assert [row.label for row in profile_info(late).rows] == ["conv0", "relu0", "ReorderOutput"]


@pytest.mark.parametrize("order", ["time", "run"])
def test_what_takes_least_is_one_bar(order: str) -> None:
    many = Profile(tuple(OperatorTime("Relu", f"relu{n}", n * US) for n in range(40)), 10, 1e-3)
    info = profile_info(many, order=order)  # type: ignore[arg-type]
    assert len(info.rows) == MOST + 1
    assert info.rows[-1].label == f"{40 - MOST} others"
    assert {row.label for row in info.rows[:-1]} == {f"relu{n}" for n in range(40 - MOST, 40)}
    assert _drawn(info) == pytest.approx(many.operators_s)
    assert height_of(info) > height_of(profile_info(FLOAT))


def test_bars_of_two_profiles_lie_side_by_side_in_their_layers_row() -> None:
    bars = profile_figure(profile_info(FLOAT, INT8, ("a", "b"))).data
    first, second = (
        [y for bar in bars for y in bar.y if (bar.marker.opacity == 1.0) is one]
        for one in (True, False)
    )
    assert all(-0.5 < y - round(y) < 0 for y in first)
    assert all(0 < y - round(y) < 0.5 for y in second)
    assert {bar.width for bar in bars} == {0.4}


def test_each_kind_is_in_the_legend_once_with_a_look_of_its_own() -> None:
    bars = profile_figure(profile_info(FLOAT, INT8)).data
    named = [bar.legendgroup for bar in bars if bar.showlegend]
    assert sorted(named) == sorted(KINDS)
    for mode in ("light", "dark"):
        assert len({color_of(kind, mode) for kind in KINDS}) == len(KINDS)
    assert (
        len({bar.marker.pattern.shape for bar in bars if bar.legendgroup != "other"})
        == len(KINDS) - 1
    )


def test_the_dark_figure_is_the_light_one_in_other_colours() -> None:
    info = profile_info(FLOAT, INT8, ("a", "b"))
    light, dark = (json.dumps(profile_spec(info, mode)) for mode in ("light", "dark"))
    for ours, theirs in theme.dark_for_light().items():
        light = light.replace(ours, theirs)
    assert light == dark


def test_the_note_tells_what_is_around_the_operators() -> None:
    assert (
        profile_info(FLOAT).note == "55.0 µs in operators and 5.00 µs outside them, over 30 runs."
    )
    both = profile_info(FLOAT, INT8, ("a", "b")).note
    assert both.startswith("a: 55.0 µs in operators")
    assert both.endswith(
        "b: 30.0 µs in operators and 2.00 µs outside them, over 30 runs. Nothing is known of relu0."
    )


def test_a_row_for_each_operator() -> None:
    assert profile_rows(INT8)[2] == {
        "Operator": "DequantizeLinear ×2",
        "Layer": "y",
        "Time": "4.00 µs",
        "Share": "13.3 %",
        "Precision": "int8",
        "Placed on": "CPU",
        "Kind": "dequantize",
    }
    assert profile_rows(FLOAT)[2]["Layer"] == "–"


def test_time_by_kind_on_its_own() -> None:
    alone = {row["Kind"]: (row["Time"], row["Share"]) for row in kinds_rows(INT8)}
    assert alone == {
        "compute": ("20.0 µs", "66.7 %"),
        "quantize": ("6.00 µs", "20.0 %"),
        "dequantize": ("4.00 µs", "13.3 %"),
    }
    both = {row["Kind"]: row for row in kinds_rows(FLOAT, INT8, ("a", "b"))}
    assert set(both) == set(KINDS)
    assert (both["layout"]["Time, a"], both["layout"]["Time, b"]) == ("5.00 µs", "0 ns")


def test_json_has_the_sums_too() -> None:
    found = json.loads(json.dumps(profile_json(INT8)))
    assert (
        Profile.from_json(
            {k: v for k, v in found.items() if k not in ("operators_s", "kinds_s", "around_s")}
        )
        == INT8
    )
    assert sum(found["kinds_s"].values()) == pytest.approx(found["operators_s"])
    assert found["around_s"] == pytest.approx(2 * US)
