"""Differences of two trials against plain arithmetic and scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, wilcoxon

from lab.analysis.differences import (
    against_baselines,
    difference,
    differs,
    discordant,
    pack,
    unpack,
)
from lab.analysis.ties import compare, ties
from lab.types import Trial
from tests import fakes

BASE = fakes.trial("float32", 0.96, 300e3, 5e-4, baseline=True, spread=(0.01, 1e-5))
OTHER = fakes.trial("int8", 0.95, 100e3, 6e-4, position=1, spread=(0.01, 1e-5))


def with_right(trial: Trial, right: np.ndarray) -> Trial:
    return replace(trial, details=replace(trial.details, correct=pack(right, "top1_accuracy")))


def timed(
    trial: Trial, medians: np.ndarray, session: str = "s", rounds: list[int] | None = None
) -> Trial:
    timing = {
        "session": session,
        "rounds": rounds or list(range(len(medians))),
        "medians_s": list(medians),
    }
    return replace(trial, details=replace(trial.details, timing=timing))


@given(st.lists(st.booleans(), min_size=1, max_size=100))
def test_packed_bits_come_back(bits: list[bool]) -> None:
    kept = pack(np.array(bits), "top1_accuracy")
    assert unpack(kept["bits"], kept["n"]).tolist() == bits


def test_accuracy_is_compared_item_by_item() -> None:
    rng = np.random.default_rng(0)
    before = rng.random(1000) < 0.95
    after = before.copy()
    after[:30] = ~before[:30]
    found = difference("top1_accuracy", with_right(OTHER, after), with_right(BASE, before))
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    assert found is not None
    assert (found.kind, found.test, found.n) == ("change", "paired items", 1000)
    assert found.value == pytest.approx(after.mean() - before.mean())
    assert found.p == pytest.approx(binomtest(won, won + lost, 0.5).pvalue)
    assert found.low <= found.value <= found.high
    assert discordant(with_right(OTHER, after), with_right(BASE, before)) == pytest.approx(0.03)


def test_latencies_of_one_session_are_compared_round_by_round() -> None:
    rng = np.random.default_rng(1)
    drift = np.exp(rng.normal(0, 0.2, 12))
    a, b = (
        5e-4 * drift * np.exp(rng.normal(0, 0.005, 12)),
        5.2e-4 * drift * np.exp(rng.normal(0, 0.005, 12)),
    )
    found = difference("latency_s", timed(OTHER, b), timed(BASE, a))
    assert found is not None
    assert (found.kind, found.test, found.n) == ("ratio", "paired rounds", 12)
    assert found.p == pytest.approx(wilcoxon(np.log(b) - np.log(a)).pvalue)
    assert found.low <= 1.04 <= found.high
    apart = difference("latency_s", timed(OTHER, b, "another"), timed(BASE, a))
    assert apart is not None
    assert apart.test == "separate rounds"
    assert not apart.differs  # drift hides what the pairs show
    assert found.differs


def test_only_rounds_that_both_have_are_pairs() -> None:
    a, b = (
        timed(BASE, np.arange(1.0, 11.0)),
        timed(OTHER, 2 * np.arange(3.0, 11.0), rounds=list(range(2, 10))),
    )
    found = difference("latency_s", b, a)
    assert found is not None
    assert (found.n, found.value) == (8, pytest.approx(2.0))


def test_what_nothing_more_is_kept_of_is_told_by_its_intervals() -> None:
    assert difference("latency_s", OTHER, BASE) is None
    assert difference("size_bytes", OTHER, BASE) is None
    assert differs("latency_s", OTHER, BASE)
    assert not differs("top1_accuracy", OTHER, BASE)


def test_latencies_of_two_machines_are_not_compared() -> None:
    elsewhere = replace(timed(OTHER, np.ones(10)), environment="env-2")
    assert difference("latency_s", elsewhere, timed(BASE, np.ones(10))) is None


def test_many_comparisons_are_corrected() -> None:
    """Sixty variants that do not differ: some do at 5 % each, hardly any among all."""
    rng = np.random.default_rng(5)
    base = timed(BASE, np.exp(rng.normal(0, 0.02, 20)))
    variants = [
        timed(
            fakes.trial(f"v{i}", 0.95, 1e5, 5e-4, position=i + 1), np.exp(rng.normal(0, 0.02, 20))
        )
        for i in range(60)
    ]
    found = [d["latency_s"] for d in against_baselines([base, *variants], ["latency_s"]).values()]
    assert len(found) == 60
    assert any(d.p < 0.05 for d in found)
    assert not any(d.differs for d in found)
    assert all(d.adjusted is not None and d.adjusted >= d.p for d in found)


def test_a_tie_is_beaten_by_nothing_but_chance() -> None:
    best = fakes.trial("best", 0.960, 100e3, 3.00e-4, position=1, spread=(0.01, 2e-5))
    tie = fakes.trial("tie", 0.955, 100.4e3, 3.05e-4, position=2, spread=(0.01, 2e-5))
    larger = fakes.trial("larger", 0.955, 120e3, 3.05e-4, position=3, spread=(0.01, 2e-5))
    slower = fakes.trial("slower", 0.955, 100e3, 4.05e-4, position=4, spread=(0.01, 2e-5))
    assert dict(ties([BASE, best, tie, larger, slower], fakes.OBJECTIVES)) == {tie.id: (best.id,)}


def test_pairs_tell_ties_that_intervals_would_not() -> None:
    """Both orders: rounds that drift alike separate what overlaps."""
    drift = np.exp(np.random.default_rng(5).normal(0, 0.2, 20))
    best = timed(
        fakes.trial("best", 0.96, 100e3, 3.00e-4, position=1, spread=(0.01, 5e-5)), 3.00e-4 * drift
    )
    near = timed(
        fakes.trial("near", 0.96, 100e3, 3.10e-4, position=2, spread=(0.01, 5e-5)), 3.10e-4 * drift
    )
    objective = fakes.objective("latency_s")
    assert (compare(best, near, objective), compare(near, best, objective)) == (1, -1)
    assert ties([best, near], fakes.OBJECTIVES) == {}


@given(st.integers(2, 40), st.integers(0, 1000))
def test_every_tie_is_with_the_front_and_off_it(count: int, seed: int) -> None:
    trials = fakes.trials(count, seed)
    found = ties(trials, fakes.OBJECTIVES)
    from lab.analysis.front import front

    on_front = set(front(trials, fakes.OBJECTIVES))
    assert not set(found) & on_front
    assert all(set(with_) <= on_front and with_ for with_ in found.values())
