"""Two trials side by side in words and numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.analysis.differences import against_baselines, difference
from lab.plots.differences import (
    difference_rows,
    differences_json,
    interval_text,
    items_text,
    p_text,
    time_text,
    verdict,
)
from lab.statistics import items_needed
from tests import fakes


@pytest.fixture
def two(tmp_path: Path) -> list:
    base = fakes.trial("float32", 0.96, 300e3, 5.0e-4, baseline=True, spread=(0.01, 1e-5))
    quick = fakes.trial("int8", 0.90, 100e3, 2.5e-4, position=1, spread=(0.01, 1e-5))
    return fakes.with_evidence([base, quick], tmp_path)


def test_each_shared_metric_has_a_row_and_those_about_both_have_none(two) -> None:
    base, quick = two
    rows = {row["Metric"]: row for row in difference_rows(quick, base, fakes.METRICS)}
    assert set(rows) == {m.title for m in fakes.METRICS.values() if not m.about_both}
    assert rows["Latency (median)"]["Difference"] == "2.00× faster"
    assert rows["Latency (median)"]["Verdict"] == "differs"
    assert (
        rows["File size"] | {"Verdict": "differs", "Method": "exact numbers", "p": ""}
        == rows["File size"]
    )
    assert rows["Peak memory"]["Method"] == "intervals only"


def test_equal_numbers_are_equal(two) -> None:
    assert verdict("latency_s", two[0], two[0]) == "equal"


def test_intervals_and_p_values_are_said_shortly(two) -> None:
    base, quick = two
    ratio, change = difference("latency_s", quick, base), difference("top1_accuracy", quick, base)
    assert ratio is not None
    assert change is not None
    assert interval_text(ratio) == f"{ratio.low:.3g} to {ratio.high:.3g} ×"
    assert interval_text(change).endswith(" points")
    assert (p_text(0.0004), p_text(0.0312)) == ("< 0.001", "0.031")


def test_how_many_items_a_small_drop_takes(two) -> None:
    base, quick = two
    text = items_text(quick, base)
    share = float(text.split("right on ")[1].split(" %")[0]) / 100
    assert "597 test items" in text
    assert f"{items_needed(0.01, share):,}"[:2] in text
    assert items_text(fakes.trial("x", 0.9, 1.0, 1.0), base) == ""


def test_differences_as_json_say_whether_they_are_more_than_chance(two) -> None:
    found = against_baselines(two, ["latency_s"])[two[1].id]
    (row,) = differences_json(found).values()
    assert row["differs"] is True
    assert row["adjusted_p"] == row["p"]


def test_what_measuring_took_is_said(two) -> None:
    assert (
        time_text(two, 31.0)
        == "Measuring took about 30 seconds. None of 40 timing rounds was disturbed."
    )
    assert time_text([fakes.trial("x", 0.9, 1.0, 1.0)], 31.0) == ""
