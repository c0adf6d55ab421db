"""The plot and the table of what layers cost say the same, in both orders and both themes."""

from __future__ import annotations

import pytest

from lab.analysis.sensitivity import Group, LayerSensitivity, Sensitivity
from lab.plots.sensitivity import (
    height_of,
    sensitivity_figure,
    sensitivity_info,
    sensitivity_json,
    sensitivity_rows,
    sensitivity_table,
)
from lab.types import Measurement


def layer(name: str, position: int, noise: float | None, change: float | None) -> LayerSensitivity:
    accuracy = (
        None
        if change is None
        else Measurement("accuracy_change", change, "1", 100, change - 0.01, change + 0.01)
    )
    alone = {"accuracy_change": accuracy} if accuracy else {}
    return LayerSensitivity(
        Group(name, f"net.{name}", "Conv", (name,), position),
        alone,
        {},
        noise,
        0.5,
        300.0,
        -2e-6,
        accuracy,
        0.01,
    )


FOUND = Sensitivity(
    (layer("b", 1, 0.1, -0.02), layer("a", 0, 0.001, 0.0), layer("c", 2, None, None)), None, None
)


def test_rows_are_ordered_by_harm_or_as_the_network_computes() -> None:
    assert [r.id for r in sensitivity_info(FOUND)] == ["b", "a", "c"]
    assert [r.id for r in sensitivity_info(FOUND, "graph")] == ["a", "b", "c"]
    first = sensitivity_info(FOUND)[0]
    assert (first.label, first.noise, first.recovered) == ("net.b", 10.0, 50.0)
    assert (first.change, first.low, first.high) == pytest.approx((-2.0, -3.0, -1.0))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_figure_has_a_bar_and_a_diamond_for_each_layer(mode: str) -> None:
    rows = sensitivity_info(FOUND)
    figure = sensitivity_figure(rows, mode).to_dict()  # type: ignore[arg-type]
    dots, bars = figure["data"]
    assert (
        [c[0] for c in bars["customdata"]] == [c[0] for c in dots["customdata"]] == ["b", "a", "c"]
    )
    assert list(bars["x"])[:2] == [10.0, 0.1]
    assert list(dots["x"]) == [-2.0, 0.0, None]
    assert list(figure["layout"]["yaxis"]["ticktext"]) == ["net.b", "net.a", "net.c"]
    assert figure["layout"]["height"] == height_of(rows)


def test_tables_say_the_same() -> None:
    frame, rows = sensitivity_table(FOUND), sensitivity_rows(FOUND)
    assert frame["Layer"].tolist() == [r["layer"] for r in rows] == ["net.b", "net.a", "net.c"]
    assert frame["Error alone, %"].tolist()[:2] == [10.0, 0.1]
    assert rows[0]["accuracy"] == "-2.0 (-3.0 to -1.0)"
    assert (rows[0]["bytes saved"], rows[0]["time"]) == ("300 B", "−2.00 µs")
    assert rows[2]["accuracy"] == "–"
    assert [x["name"] for x in sensitivity_json(FOUND)["layers"]] == ["b", "a", "c"]
