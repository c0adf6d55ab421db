"""Variants that differ in calibration only, and threads that change nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.analysis.calibration import calibrations
from lab.analysis.threads import without_effect
from lab.types import Recipe, Step, Target, Trial
from tests import fakes


def calibrated(position: int, accuracy: float, threads: int = 1, **given: Any) -> Trial:
    params = {
        "calibration_samples": 128,
        "calibration_seed": 0,
        "calibration_source": "data",
        "method": "minmax",
        **given,
    }
    made = fakes.trial("static", accuracy, 1e5, 1e-3, position=position, spread=(0.01, 1e-5))
    return replace(
        made, recipe=Recipe((Step("quantize", params),)), target=Target("ort", {"threads": threads})
    )


def test_seeds_are_put_together_and_their_spread_is_told() -> None:
    trials = [
        calibrated(0, 0.90),
        calibrated(1, 0.92, calibration_seed=1),
        calibrated(2, 0.94, calibration_seed=2),
        calibrated(3, 0.80, calibration_source="noise"),
        calibrated(4, 0.85, calibration_samples=8),
        calibrated(5, 0.91, threads=2),
        calibrated(6, 0.70, method="entropy"),
        fakes.trial("float32", 0.95, 3e5, 1e-3),
    ]
    (found,) = calibrations(trials, "top1_accuracy")
    assert [(p.samples, p.source, p.seed) for p in found.points] == [
        (8, "data", 0),
        (128, "data", 0),
        (128, "data", 1),
        (128, "data", 2),
        (128, "noise", 0),
    ]
    (spread,) = found.over_seeds()
    assert (spread.samples, spread.source, spread.seeds) == (128, "data", 3)
    assert (spread.low, spread.mean, spread.high) == pytest.approx((0.90, 0.92, 0.94))


def test_one_way_of_calibrating_is_nothing_to_compare() -> None:
    assert (
        calibrations([calibrated(0, 0.9), calibrated(1, 0.7, method="entropy")], "top1_accuracy")
        == ()
    )
    assert calibrations([calibrated(0, 0.9), calibrated(1, 0.8, calibration_seed=1)], "auc") == ()


def timed(position: int, threads: int, latency: float, spread: float, name: str = "a") -> Trial:
    made = fakes.trial(name, 0.9, 1e5, latency, position=position, spread=(0.01, spread))
    return replace(made, target=Target("ort", {"threads": threads}))


def test_more_threads_without_effect_are_named() -> None:
    trials = [
        timed(0, 1, 1.0e-3, 1e-5),
        timed(1, 2, 0.6e-3, 1e-5),
        timed(2, 4, 0.99e-3, 2e-5),
        timed(3, 2, 2e-3, 1e-5, "b"),
        timed(4, 4, 3e-3, 1e-5, "b"),
        timed(5, 8, 1e-3, 1e-5, "alone"),
    ]
    found = {
        g.trial.split("-")[0]: (g.threads, g.fewer_threads, round(g.speedup, 2))
        for g in without_effect(trials)
    }
    assert found == {"t0002": (4, 1, 1.01), "t0004": (4, 2, 0.67)}
