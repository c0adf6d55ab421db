"""Checks of timings, on loops and calls whose truth is known."""

from __future__ import annotations

import math
import random
import time

import pytest
from scipy.stats import binom

from lab.measure import doctor, doctor_timing
from lab.measure.check import Check
from lab.measure.doctor_timing import (
    Compared,
    at_least,
    delayed,
    detection_limit,
    ratio,
    scaling,
    steadiness,
    timer,
)
from lab.statistics import Ratio, paired_ratio


def turns(medians: dict[int, float], contended: tuple[int, ...] = ()) -> list[dict[str, object]]:
    return [
        {"round": n, "samples": [m / 2, m, m * 9], "contended": n in contended}
        for n, m in medians.items()
    ]


def test_the_timer_is_as_fine_as_the_clock_says() -> None:
    found = timer()
    assert found.figures["finest_step_s"] >= time.get_clock_info("perf_counter").resolution
    assert found.figures["finest_step_s"] <= 100 * found.figures["reading_s"] < 1e-3


@pytest.mark.parametrize(("slow", "state", "spread"), [(1.0, "ok", 0.0), (1.6, "warning", 0.6)])
def test_a_loop_that_was_slower_for_a_while_is_noticed(
    slow: float, state: str, spread: float
) -> None:
    start = time.perf_counter()

    def loop() -> float:
        time.sleep(0.002)
        return 0.001 * (slow if 0.1 < time.perf_counter() - start < 0.25 else 1.0)

    found = steadiness(0.4, loop)
    assert found.state == state
    assert found.figures["spread"] == pytest.approx(spread)


def test_medians_are_paired_by_round_without_those_that_were_disturbed() -> None:
    a = turns(dict.fromkeys(range(1, 11), 1.0), contended=(3,))
    b = turns({**dict.fromkeys(range(1, 11), 1.1), 3: 50.0, 5: 70.0}, contended=(5,))
    found = ratio(a, b)
    assert (found.n, found.value) == (8, pytest.approx(1.1))
    assert found.differs


def test_all_rounds_are_taken_where_too_few_were_undisturbed() -> None:
    a, b = (turns(dict.fromkeys(range(10), m), contended=tuple(range(2, 10))) for m in (1.0, 2.0))
    assert ratio(a, b).n == 10


def test_a_delayed_call_takes_so_much_longer() -> None:
    def call() -> None:
        end = time.perf_counter() + 5e-4
        while time.perf_counter() < end:
            pass

    slower = delayed(call, 0.5)
    spent = []
    for _ in range(50):
        start = time.perf_counter()
        slower()
        spent.append(time.perf_counter() - start)
    assert min(spent) >= 7.4e-4
    assert sorted(spent)[25] == pytest.approx(7.5e-4, rel=0.1)


@pytest.mark.parametrize(("k", "n"), [(0, 3), (1, 3), (5, 40), (40, 40)])
def test_the_chance_of_so_many_false_differences(k: int, n: int) -> None:
    assert at_least(k, n, 0.05) == pytest.approx(binom.sf(k - 1, n, 0.05))


def simulated(seed: int, slower_by: float = 0.0) -> Ratio:
    rng = random.Random(seed)
    return paired_ratio(
        [1.0] * 20, [math.exp(rng.gauss(math.log1p(slower_by), 0.02)) for _ in range(20)]
    )


def test_the_detection_limit_is_seen_in_eight_of_ten() -> None:
    """Of 20 pairs that scatter by 2 %: by simulation, not by the formula."""
    limit = detection_limit([simulated(seed) for seed in range(200)])
    seen = [simulated(1000 + seed, limit).differs for seed in range(1000)]
    assert 0.72 < sum(seen) / len(seen) < 0.9


@pytest.mark.parametrize(
    ("false", "disturbed", "state"),
    [(0, 0, "ok"), (2, 0, "ok"), (6, 0, "warning"), (0, 900, "warning")],
)
def test_a_a_warns_of_more_than_chance_explains(
    monkeypatch, false: int, disturbed: int, state: str
) -> None:
    same = [Ratio(1.05, 1.02, 1.08, 0.001, 20)] * false + [Ratio(1.0, 0.99, 1.01, 0.6, 20)] * (
        40 - false
    )
    monkeypatch.setattr(
        doctor_timing,
        "compared",
        lambda n: Compared(
            "It", tuple(same), (Ratio(1.05, 1.04, 1.06, 0.001, 20),), 1000, disturbed
        ),
    )
    found = doctor_timing.false_differences(40)
    assert (found.state, found.figures["rate"]) == (state, false / 40)
    assert f"{false} of 40" in found.text
    assert doctor_timing.detection(40).figures["seen"] == 1


def test_scaling_is_the_ratio_to_one_thread() -> None:
    found = scaling({1: 4.0, 2: 2.0, 4: 2.0})
    assert found.figures["speedup"] == {"1": 1.0, "2": 2.0, "4": 2.0}
    assert found.figures["efficiency"] == {"1": 1.0, "2": 1.0, "4": 0.5}
    assert found.state == "warning"
    assert scaling({1: 4.0}).state == "ok"


def test_a_check_that_fails_does_not_end_the_others(monkeypatch) -> None:
    def broken() -> Check:
        raise RuntimeError("no such thing")

    fine = Check("fine", "Fine", "ok", "It is.")
    monkeypatch.setattr(doctor, "groups", lambda repeat: (("timing", (broken, lambda: fine)),))
    first, second = doctor.examine(1)
    assert (first.state, second.id, second.group) == ("unavailable", "fine", "timing")
    assert "no such thing" in first.text


@pytest.mark.slow
@pytest.mark.alone
def test_the_same_network_is_alike_and_a_slower_one_is_seen() -> None:
    """With ONNX Runtime and the lab's own rounds, on whatever machine this is."""
    found = doctor_timing.compared(3)
    assert all(abs(r.value - 1) < 0.1 for r in found.same)
    assert all(1.0 < r.value < 1.2 for r in found.slower)
    assert doctor_timing.thread_scaling(2).figures["speedup"]["1"] == 1.0


def test_without_a_runtime_a_product_is_timed_instead(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(doctor_timing.doctor_models, "available", lambda: False)
    of, load = doctor_timing.doctor_models.loader(tmp_path)
    assert of == "A numpy product"
    assert load()().shape == (160, 160)
    assert doctor_timing.thread_scaling(2).state == "unavailable"
