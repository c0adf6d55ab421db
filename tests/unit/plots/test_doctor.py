"""The self-test's lines, table and plots."""

from __future__ import annotations

import math

import pytest

from lab.evidence import Roofline
from lab.measure.check import Check
from lab.plots.doctor import doctor_lines, figures_table, grouped, scaling_figure, summary
from lab.plots.roofline import roofline_figure, roofline_info

CHECKS = [
    Check("a", "Timer", "ok", "Fine.", {"reading_s": 1.23456e-7}, group="timing"),
    Check("b", "Clock", "unavailable", "Nobody tells.", group="machine"),
    Check(
        "c",
        "Steadiness",
        "warning",
        "It varies.",
        {"spread": 0.5, "seen": [1, 2], "by": {"1": 0.25}, "no": None},
        "Wait.",
        "timing",
    ),
]
ROOF = Roofline(
    2, {"float32": 1e11, "int8": 4e11}, {16_000: 2e11, 1_000_000: 1e11, 64_000_000: 4e10}
)


def test_warnings_come_first_within_their_group():
    assert {title: [c.id for c in found] for title, found in grouped(CHECKS).items()} == {
        "Timing quality": ["c", "a"],
        "Processor and load": ["b"],
    }


def test_lines_say_everything():
    lines = doctor_lines(CHECKS)
    assert lines[0] == "Timing quality"
    assert lines[1].split() == ["WARNING", "Steadiness", "It", "varies.", "->", "Wait."]
    assert lines[-1] == "3 checks, 1 with a warning"
    assert max(map(len, lines)) <= 110


def test_the_summary_names_what_warns():
    assert summary(CHECKS) == "**1 warning:** steadiness. 1 value cannot be read on this machine."
    assert summary(CHECKS[:1]) == "**No warnings: timings on this machine can be trusted.**"


def test_every_figure_has_a_row():
    assert [(r["Figure"], r["Value"]) for r in figures_table(CHECKS)] == [
        ("reading s", "1.235e-07"),
        ("spread", "0.5"),
        ("seen", "1, 2"),
        ("by", "1: 0.25"),
        ("no", "–"),
    ]


def test_slopes_meet_the_highest_roof_and_roofs_begin_at_the_steepest_slope():
    near, _, far, high, low = roofline_info(ROOF)
    assert (near.name, far.name) == ("on 16 kB: 200 GB/s", "on 64 MB: 40.0 GB/s")
    assert near.points[1] == (2.0, 4e11)
    assert far.points[1] == (10.0, 4e11)
    assert (high.points[0], low.points[0]) == ((2.0, 4e11), (0.5, 1e11))
    for roof in (near, far):  # bytes a second times operations for each byte
        (x, y), (x2, y2) = roof.points
        assert y / x == pytest.approx(y2 / x2)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_figures_can_be_drawn(mode):
    roof, scaling = roofline_figure(ROOF, mode), scaling_figure({1: 1.0, 2: 1.6, 4: 1.9}, mode)
    assert len(roof.data) == 5
    assert 10 ** roof.layout.yaxis.range[1] > 4e11
    assert list(scaling.data[0].y) == [1, 2, 4]
    assert list(scaling.data[1].y) == [1.0, 1.6, 1.9]
    assert math.isclose(float(scaling.layout.yaxis.tickvals[-1]), 4)
