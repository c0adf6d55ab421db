"""What is drawn and said of a search, from made-up trials."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from lab.analysis.hypervolume import Course, Found, Spent, course
from lab.plots.search import (
    Band,
    SearchInfo,
    band,
    bands_figure,
    reference_text,
    search_figure,
    search_info,
    search_text,
)
from tests import fakes

COURSE = Course(
    (
        Found("k", 0, 0.0, 0.2),
        Found("a", 1, 60.0, 0.2),
        Found("b", 2, 90.0, 0.6),
        Found("c", 3, 120.0, 1.0),
    ),
    1,
    4.0,
    (),
)
UNITS = {"top1_accuracy": "1", "size_bytes": "B", "latency_s": "s"}


def test_the_curve_starts_at_what_the_store_knew():
    assert search_info(COURSE) == SearchInfo(
        ((0.0, 20.0), (1.0, 20.0), (2.0, 60.0), (3.0, 100.0)),
        ((0.0, 20.0), (1.0, 20.0), (1.5, 60.0), (2.0, 100.0)),
        1,
    )


def test_many_known_trials_are_one_point():
    many = replace(COURSE, points=(Found("j", 0, 0.0, 0.1), *COURSE.points))
    assert search_info(many).by_trials == search_info(COURSE).by_trials


def test_without_times_only_trials_are_drawn():
    untimed = replace(COURSE, points=tuple(replace(p, seconds=None) for p in COURSE.points))
    info = search_info(untimed)
    assert info.by_minutes == ()
    assert len(search_figure(info, "key").data) == 1
    assert search_figure(info, "key").layout.xaxis.domain == (0, 1)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_both_curves_are_steps(mode):
    figure = search_figure(search_info(COURSE), "key", mode)
    assert [list(trace.y) for trace in figure.data] == [[20, 20, 60, 100]] * 2
    assert {trace.line.shape for trace in figure.data} == {"hv"}
    assert list(figure.data[1].x) == [0, 1, 1.5, 2]
    go.Figure(figure).to_json()


def test_a_search_in_words():
    assert (
        search_text(COURSE, Spent(3, 60, 2.0, 0.0, 1))
        == "3 of at most 60 trials run in 2.0 minutes; 1 more trial came from the store. The"
        " hypervolume reached 50 % after 2 trials and 95 % after 3 trials."
    )
    assert "2.0 of at most 5 minutes" in search_text(COURSE, Spent(3, 60, 2.0, 5.0, 0))
    start = replace(COURSE, points=(Found("k", 0, 0.0, 1.0),))
    assert "95 % after the trials from the store" in search_text(start, Spent(1, 9, 0.1, 0.0, 1))


def test_the_reference_is_told_in_the_metrics_units():
    trials = [
        fakes.trial("float32", 0.9, 400e3, 1e-3, baseline=True),
        fakes.trial("x", 0.9, 200e3, 1e-3, position=1),
    ]
    found = course(trials, fakes.OBJECTIVES)
    assert found is not None
    text = reference_text(found, UNITS)
    assert "accuracy in points and size and latency in halvings" in text
    assert "below 80.0 % (10 points from float)" in text
    assert "above 400 kB" in text
    assert "above 1.00 ms" in text


def test_a_band_is_median_and_range_over_seeds():
    found = band("ehvi", [[0.1, 0.5, 1.0], [0.3, 0.7], [0.2, 0.6, 0.9]], grid=10)
    assert found.x == (10.0, 20.0, 30.0)
    assert found.median == pytest.approx((20, 60, 90))
    assert found.low == pytest.approx((10, 50, 70))
    assert found.high == pytest.approx((30, 70, 100))


def test_each_grid_has_a_panel_and_each_sampler_one_colour():
    bands = [
        Band(name, (1.0, 2.0), (50.0, 60.0), (40.0, 50.0), (60.0, 70.0))
        for name in ("ehvi", "random")
    ]
    figure = bands_figure({"A": bands, "B": bands})
    lines = [trace for trace in figure.data if trace.fill is None]
    assert [(t.name, t.xaxis, t.showlegend) for t in lines] == [
        ("ehvi", "x", True),
        ("random", "x", True),
        ("ehvi", "x2", False),
        ("random", "x2", False),
    ]
    assert len({t.line.color for t in lines}) == 2
    assert len(figure.layout.shapes) == 4
