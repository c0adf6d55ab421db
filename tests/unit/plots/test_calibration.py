from __future__ import annotations

import pytest

from lab.analysis.calibration import calibrations
from lab.plots.calibration import (
    calibration_figure,
    calibration_info,
    calibration_table,
    spread_words,
)
from tests.unit.analysis.test_calibration import calibrated

TRIALS = [
    calibrated(0, 0.90),
    calibrated(1, 0.92, calibration_seed=1),
    calibrated(2, 0.85, calibration_samples=8),
    calibrated(3, 0.70, calibration_source="noise"),
]
(FOUND,) = calibrations(TRIALS, "top1_accuracy")


def test_means_are_over_seeds_with_data_only() -> None:
    info = calibration_info(FOUND, TRIALS[0].measurements["top1_accuracy"], "Accuracy")
    assert dict(info.means) == pytest.approx({8: 85.0, 128: 91.0})
    assert {k: len(v) for k, v in info.dots.items()} == {"data": 3, "noise": 1}
    assert info.float_value == pytest.approx(90)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_dot_can_be_clicked_and_no_data_is_said_so(mode: str) -> None:
    figure = calibration_figure(calibration_info(FOUND, None, "Accuracy"), mode).to_dict()  # type: ignore[arg-type]
    dots = [t for t in figure["data"] if t["mode"] == "markers"]
    assert sorted(c[0] for t in dots for c in t["customdata"]) == sorted(t.id for t in TRIALS)
    assert [t["name"] for t in dots] == ["data", "noise, no data"]


def test_table_and_words() -> None:
    assert calibration_table(FOUND)["From"].tolist() == ["data", "data", "data", "noise, no data"]
    assert (
        spread_words(FOUND.over_seeds())
        == "128 items from data, 2 seeds: 90.0 to 92.0 %, 2.0 points apart"
    )
