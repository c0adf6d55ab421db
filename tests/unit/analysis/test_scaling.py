"""Scaling curves against scipy's fits and against formulas, on made-up latencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

from lab.analysis.scaling import Curve, curve, fitted, scaling, throughput
from lab.types import Measurement, Recipe, Target, Trial

ABOUT = {"kind": "scaling", "study": "s", "trial": "s-0001", "threads": 1}


def seconds(value: float, half: float = 0.0) -> Measurement:
    return Measurement("latency_s", value, "s", 30, value - half, value + half)


def made(
    latency: Measurement | None, baseline: bool = False, error: str = "", **options: int
) -> Trial:
    found = {"latency_s": latency} if latency else {}
    name, state = "float32" if baseline else "int8", "failed" if error else "complete"
    return Trial(
        f"s-{name}-{options}",
        "s",
        0,
        name,
        Recipe(),
        Target("ort", {"threads": 1, "batch": 1, **options}),
        state,  # type: ignore[arg-type]
        baseline,
        error={"message": error} if error else None,
        measurements=found,
    )


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.2])
def test_the_line_of_batches_is_scipys(noise: float) -> None:
    rng, x = np.random.default_rng(3), np.array([1.0, 2, 4, 8, 16, 32])
    y = (1e-4 + 3e-5 * x) * rng.uniform(1 - noise, 1 + noise, 6)
    expected, covariance = curve_fit(lambda n, a, b: a + b * n, x, y, p0=(1e-4, 1e-5), sigma=y)
    line = fitted(list(x), [seconds(v) for v in y])
    assert line
    assert (line.fixed_s, line.per_s) == pytest.approx(tuple(expected), rel=1e-6)
    if noise:
        errors = np.sqrt(np.diag(covariance))
        assert (line.fixed_error_s, line.per_error_s) == pytest.approx(tuple(errors), rel=1e-4)
        assert line.covariance == pytest.approx(covariance[0, 1], rel=1e-4)
    else:
        assert (line.fixed_error_s, line.per_error_s) == pytest.approx((0.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.22, 0.9])
def test_amdahls_serial_share_is_scipys(share: float) -> None:
    rng, n = np.random.default_rng(5), np.array([1, 2, 4, 8])

    def amdahl(threads: Any, one: float, serial: float) -> Any:
        return one * (serial + (1 - serial) / threads)

    y = amdahl(n, 2e-3, share) * rng.uniform(0.97, 1.03, 4)
    expected, covariance = curve_fit(amdahl, n, y, p0=(2e-3, 0.5), sigma=y)
    found = curve(
        "threads", [made(seconds(v), threads=int(k)) for k, v in zip(n, y, strict=True)], 1
    )
    assert found.line
    assert found.line.share == pytest.approx(expected[1], abs=1e-6)
    assert found.line.share_error == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-3)


def test_two_points_give_the_exact_share_and_the_errors_of_the_measurements() -> None:
    one, two = seconds(1.0, 0.02), seconds(0.61, 0.01)
    line = fitted([1.0, 0.5], [one, two])
    assert line
    assert line.share == pytest.approx(0.22)  # 0.61 = 0.22 + 0.78 / 2
    rng = np.random.default_rng(0)
    draws = 2 * rng.normal(0.61, 0.01 / 1.96, 200_000) / rng.normal(1.0, 0.02 / 1.96, 200_000) - 1
    assert line.share_error == pytest.approx(draws.std(), rel=0.02)


def test_no_line_through_one_point() -> None:
    assert fitted([1.0], [seconds(1.0)]) is None
    assert fitted([], []) is None


def test_speed_up_and_efficiency_of_threads() -> None:
    found = curve("threads", [made(seconds(0.5, 0.01), threads=2), made(seconds(0.8, 0.02))], 1)
    assert [p.value for p in found.points] == [1, 2]
    two = found.points[1]
    assert two.speedup.value == pytest.approx(1.6)
    assert two.efficiency == pytest.approx(0.8)
    assert two.throughput.value == pytest.approx(2.0)
    assert found.points[0].speedup == Measurement("speedup", 1.0, "×")
    rng = np.random.default_rng(0)
    ratios = rng.normal(0.8, 0.02 / 1.96, 100_000) / rng.normal(0.5, 0.01 / 1.96, 100_000)
    assert (two.speedup.low, two.speedup.high) == pytest.approx(
        tuple(np.quantile(ratios, [0.025, 0.975])), rel=0.005
    )


def test_batches_count_items_and_are_held_against_the_fitted_time_of_an_item() -> None:
    latencies = {n: 1e-4 + 5e-5 * n for n in (1, 2, 4, 8)}
    found = curve("batch", [made(seconds(v), batch=n) for n, v in latencies.items()], 1)
    assert found.most_per_s == pytest.approx(20_000)
    eight = found.points[-1]
    assert eight.throughput.value == pytest.approx(8 / 5e-4)
    assert eight.speedup.value == pytest.approx(8 / 5e-4 * 1.5e-4)
    assert eight.efficiency == pytest.approx(0.8)


def test_throughput_turns_the_interval_round() -> None:
    found = throughput(Measurement("latency_s", 0.5, "s", 9, 0.4, 0.8, flags=("contended",)), 4)
    assert (found.value, found.low, found.high) == (8.0, 5.0, 10.0)
    assert found.flags == ("contended",)


def test_a_study_has_curves_of_the_variant_and_of_the_float_model() -> None:
    trials = [
        *(
            made(seconds(1.0 / n), baseline, threads=n)
            for n in (1, 2)
            for baseline in (True, False)
        ),
        made(seconds(3.0), batch=4),
        made(None, batch=8, error="takes no batch of 8"),
        made(None, batch=16),
        made(seconds(9.0), threads=2, batch=4),
    ]
    found = scaling(ABOUT, trials)
    assert found.name == "int8"
    assert (
        [p.value for p in found.threads.points]
        == [p.value for p in found.baseline_threads.points]
        == [1, 2]
    )
    assert [(p.value, p.latency.value) for p in found.batch.points] == [(1, 1.0), (4, 3.0)]
    assert found.batch.failed == ((8, "takes no batch of 8"),)
    assert [p.value for p in found.baseline_batch.points] == [1]


def test_the_batches_are_those_of_the_trials_own_threads() -> None:
    trials = [
        made(seconds(1.0)),
        made(seconds(0.6), threads=2),
        made(seconds(2.0), threads=2, batch=4),
    ]
    found = scaling({**ABOUT, "threads": 2}, trials)
    assert [(p.value, p.latency.value) for p in found.batch.points] == [(1, 0.6), (4, 2.0)]


def test_the_float_model_itself_is_no_baseline_of_its_own() -> None:
    found = scaling(ABOUT, [made(seconds(1.0), True), made(seconds(0.5), True, threads=2)])
    assert found.name == "float32"
    assert len(found.threads.points) == 2
    assert found.baseline_threads == Curve("threads")
    assert len(found.curves) == 2


def test_nothing_is_known_at_first() -> None:
    found = scaling(ABOUT, [])
    assert found.curves == ()


def test_no_most_is_told_where_more_was_measured() -> None:
    """Batches that leave the cache bend the line below what smaller ones reach."""
    latencies = {1: 1.8e-4, 2: 2.9e-4, 8: 1.03e-3, 32: 5.94e-3}
    found = curve("batch", [made(seconds(v), batch=n) for n, v in latencies.items()], 1)
    assert found.line
    assert found.line.fixed_s > 0
    assert 1 / found.line.per_s < 8 / 1.03e-3
    assert found.most_per_s is None
    assert {p.efficiency for p in found.points} == {None}
