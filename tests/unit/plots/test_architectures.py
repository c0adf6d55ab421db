"""All models of one data set in one plot."""

from __future__ import annotations

import pytest

from lab.plots.architectures import (
    Architecture,
    ArchitecturesInfo,
    architectures_figure,
    architectures_info,
    architectures_table,
)
from lab.types import InputSpec, Measurement, ModelCard
from tests.fakes import METRICS

METRIC = METRICS["top1_accuracy"]
SIZES = {"small": 40_000, "wide": 90_000, "big": 400_000, "unmeasured": 1}


def accuracy(value: float) -> Measurement:
    return Measurement("top1_accuracy", value, "1", 2400, value - 0.01, value + 0.01)


def card(id_: str, framework: str, value: float | None, macs: int | None) -> ModelCard:
    baseline = {} if value is None else {"top1_accuracy": accuracy(value)}
    return ModelCard(
        id_,
        f"{id_.title()}, road signs",
        "classification",
        framework,
        "keras",
        "",
        InputSpec((32, 32, 3)),
        "signs",
        parameters=10_000,
        macs=macs,
        baseline=baseline,
    )


CARDS = [
    card("big", "PyTorch", 0.95, 5_000_000),
    card("small", "Keras 3", 0.90, 800_000),
    card("wide", "PyTorch", 0.89, 2_000_000),
    card("unmeasured", "PyTorch", None, 1_000),
]
SMALL = Architecture("small", "Small", "Keras", 800_000, accuracy(0.90), 40_000, 800_000, 10_000)
WIDE = Architecture("wide", "Wide", "PyTorch", 2_000_000, accuracy(0.89), 90_000, 2_000_000, 10_000)
BIG = Architecture("big", "Big", "PyTorch", 5_000_000, accuracy(0.95), 400_000, 5_000_000, 10_000)


def test_info_whole():
    assert architectures_info(CARDS, SIZES, METRIC) == ArchitecturesInfo(
        "macs",
        METRIC.title,
        "1",
        "maximize",
        (SMALL, WIDE, BIG),
        ((800_000.0, 0.90), (5_000_000.0, 0.95)),
        ("Unmeasured, road signs",),
    )


@pytest.mark.parametrize(
    ("across", "values"),
    [("macs", [8e5, 2e6, 5e6]), ("parameters", [1e4] * 3), ("size_bytes", [4e4, 9e4, 4e5])],
)
def test_what_goes_across(across, values):
    assert [p.x for p in architectures_info(CARDS, SIZES, METRIC, across=across).points] == values


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("across", ["macs", "size_bytes"])
def test_the_figure_has_a_named_marker_with_an_interval_for_each_model(mode, across):
    figure = architectures_figure(architectures_info(CARDS, SIZES, METRIC, across=across), mode)
    drawn = [trace for trace in figure.data if trace.customdata is not None]
    assert {
        row[0]: text
        for trace in drawn
        for row, text in zip(trace.customdata, trace.text, strict=True)
    } == {
        "small": "Small",
        "wide": "Wide",
        "big": "Big",
    }
    assert [trace.name for trace in drawn] == ["Keras", "PyTorch"]
    assert len({(t.marker.color, t.marker.symbol) for t in drawn}) == 2
    assert all(
        bar == pytest.approx(1.0)
        for trace in drawn
        for bar in (*trace.error_y.array, *trace.error_y.arrayminus)
    )
    sizes = {
        row[0]: size
        for trace in drawn
        for row, size in zip(trace.customdata, trace.marker.size, strict=True)
    }
    assert sizes["big"] > sizes["wide"] > sizes["small"]


def test_one_model_alone_is_shown():
    info = architectures_info(CARDS[:1], SIZES, METRIC)
    figure = architectures_figure(info)
    assert len(figure.data) == 1
    low, high = figure.layout.yaxis.range
    assert low < 94.0 < 96.0 < high


def test_no_model_at_all_is_an_empty_plot():
    assert len(architectures_figure(architectures_info(CARDS[3:], SIZES, METRIC)).data) == 0


def test_the_table_has_the_same_numbers():
    table = architectures_table(architectures_info(CARDS, SIZES, METRIC))
    assert table.to_dict("records")[0] == {
        "Model": "Small",
        f"{METRIC.title}, %": pytest.approx(90.0),
        "95 % interval": "89.0–91.0 %",
        "File, kB": 40.0,
        "Params, k": 10.0,
        "MACs, M": 0.8,
        "★": "★",
    }
    assert list(table["★"]) == ["★", "", "★"]
