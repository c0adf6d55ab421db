"""Intervals and tests against independent oracles."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from lab import statistics
from lab.statistics import (
    adjusted,
    cluster_bootstrap,
    items_needed,
    mcnemar,
    paired_difference,
    paired_ratio,
    smallest_drop,
    tail_interval,
    unpaired_ratio,
    wilson,
)

DRAWS = 2000


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(case: tuple[int, int]) -> None:
    successes, n = case
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_all_and_none() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def timings(rng: np.random.Generator, rounds: int, drift: float, noise: float) -> np.ndarray:
    """Latencies of 40 runs in each round: a round's speed drifts, runs scatter, and one in fifty is
    disturbed.
    """
    times = np.exp(rng.normal(0, drift, (rounds, 1))) * np.exp(rng.normal(0, noise, (rounds, 40)))
    return np.asarray(times * np.where(rng.random((rounds, 40)) < 0.02, 1.5, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize(("drift", "noise"), [(0.03, 0.02), (0.01, 0.05)])
@pytest.mark.parametrize("rounds", [10, 20])
def test_the_median_latency_s_interval_covers_the_truth(
    rounds: int, drift: float, noise: float
) -> None:
    """In 93 to 97 % of 2,000 measurements, where 95 % is claimed."""
    rng = np.random.default_rng(1)
    truth = np.median(timings(rng, 100_000, drift, noise))
    found = [
        cluster_bootstrap(list(timings(rng, rounds, drift, noise)), 0.5, seed=i)
        for i in range(DRAWS)
    ]
    assert 0.93 <= np.mean([low <= truth <= high for low, high in found]) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("drift", "noise"), [(0.03, 0.02), (0.01, 0.05)])
@pytest.mark.parametrize("rounds", [10, 20])
def test_the_slow_case_s_interval_covers_the_truth(rounds: int, drift: float, noise: float) -> None:
    rng = np.random.default_rng(2)
    truth = np.quantile(timings(rng, 100_000, drift, noise), 0.9)
    found = [tail_interval(list(timings(rng, rounds, drift, noise)), 0.9) for _ in range(DRAWS)]
    assert 0.93 <= np.mean([low <= truth <= high for low, high in found]) <= 0.97


@pytest.mark.parametrize(("accuracy", "n"), [(0.937, 1000), (0.6, 300), (0.985, 2000)])
def test_accuracy_s_interval_covers_the_truth(accuracy: float, n: int) -> None:
    right = np.random.default_rng(3).binomial(n, accuracy, DRAWS)
    found = [wilson(int(k), n) for k in right]
    assert 0.93 <= np.mean([low <= accuracy <= high for low, high in found]) <= 0.97


@pytest.mark.parametrize(
    ("won", "lost", "n"), [(0.02, 0.03, 1000), (0.01, 0.01, 2000), (0.05, 0.10, 500)]
)
def test_the_change_of_accuracy_s_interval_covers_the_truth(
    won: float, lost: float, n: int
) -> None:
    counts = np.random.default_rng(4).multinomial(n, [won, lost, 1 - won - lost], DRAWS)
    found = [paired_difference(int(w), int(k), n) for w, k, _ in counts]
    assert 0.93 <= np.mean([low <= won - lost <= high for low, high in found]) <= 0.97


@pytest.mark.parametrize("freedom", [1, 2, 4, 5, 7, 9, 19, 39, 100])
def test_student_s_quantile_is_scipys(freedom: int) -> None:
    assert statistics._student(freedom) == pytest.approx(t.ppf(0.975, freedom), abs=4e-3)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_twice_the_smaller_tail(won: int, lost: int) -> None:
    n = won + lost
    tail = sum(comb(n, k) for k in range(min(won, lost) + 1)) / 2**n
    assert mcnemar(won, lost) == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize(("drop", "discordant"), [(0.01, 0.03), (0.02, 0.04), (0.05, 0.1)])
def test_so_many_items_show_the_drop_in_four_cases_of_five(drop: float, discordant: float) -> None:
    """With the test whose sample size the formula is: McNemar's without continuity correction."""
    n = items_needed(drop, discordant)
    shares = [(discordant - drop) / 2, (discordant + drop) / 2, 1 - discordant]
    counts = np.random.default_rng(5).multinomial(n, shares, DRAWS)
    won, lost = counts[:, 0], counts[:, 1]
    seen = (won - lost) ** 2 / np.maximum(won + lost, 1) > 1.96**2
    assert 0.76 <= seen.mean() <= 0.85


def test_the_smallest_drop_is_the_one_that_needs_so_many_items() -> None:
    for n in (200, 1000, 20_000):
        drop = smallest_drop(n, 0.05)
        assert items_needed(drop, 0.05) <= n < items_needed(drop - 2e-4, 0.05)


def test_a_paired_ratio_sees_what_drift_hides() -> None:
    rng = np.random.default_rng(6)
    drift = np.exp(rng.normal(0, 0.3, 20))
    a, b = drift * np.exp(rng.normal(0, 0.01, 20)), 1.03 * drift * np.exp(rng.normal(0, 0.01, 20))
    paired, unpaired = paired_ratio(a, b), unpaired_ratio(a, b)
    assert paired.differs
    assert paired.low <= 1.03 <= paired.high
    assert not unpaired.differs
    assert (unpaired.high - unpaired.low) > 10 * (paired.high - paired.low)


@pytest.mark.parametrize("n", [10, 20, 40])
def test_a_paired_ratio_errs_in_one_case_of_twenty(n: int) -> None:
    """Also with the heavy tails that timings have; the interval covers as the test errs."""
    rng, false, covered = np.random.default_rng(n), 0, 0
    for _ in range(DRAWS // 2):
        a, b = (np.exp(0.02 * rng.standard_t(3, n)) for _ in range(2))
        found = paired_ratio(a, b)
        false += found.p < 0.05
        covered += found.low <= 1.0 <= found.high
    assert 0.03 <= false / (DRAWS // 2) <= 0.07
    assert 0.93 <= covered / (DRAWS // 2) <= 0.97


def test_equal_series_do_not_differ() -> None:
    found = paired_ratio([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (found.value, found.p, found.n) == (1.0, 1.0, 3)


def test_an_unpaired_ratio_is_welchs() -> None:
    rng = np.random.default_rng(8)
    a, b = np.exp(rng.normal(0, 0.1, 12)), np.exp(rng.normal(0.2, 0.3, 30))
    found, x, y = unpaired_ratio(a, b), np.log(a), np.log(b)
    va, vb = x.var(ddof=1) / 12, y.var(ddof=1) / 30
    freedom = (va + vb) ** 2 / (va**2 / 11 + vb**2 / 29)
    half = t.ppf(0.975, freedom) * np.sqrt(va + vb)
    middle = y.mean() - x.mean()
    assert (found.value, found.low, found.high) == pytest.approx(
        tuple(np.exp([middle, middle - half, middle + half]))
    )


def test_adjusted_p_values_are_benjamini_and_hochbergs() -> None:
    """By definition: the smallest level at which the step-up procedure rejects a hypothesis."""
    p = [0.01, 0.04, 0.03, 0.005, 0.5]
    for mine, value in zip(adjusted(p), p, strict=True):
        levels = [q for q in np.arange(0.0005, 1.0005, 0.0005) if _rejected(value, p, q)]
        assert mine == pytest.approx(levels[0], abs=1e-3)
    assert adjusted([]) == []


def _rejected(value: float, p: list[float], level: float) -> bool:
    passing = [x for rank, x in enumerate(sorted(p), 1) if x <= level * rank / len(p) + 1e-12]
    return bool(passing) and value <= max(passing)


def test_bootstrap_goes_round_the_pooled_quantile() -> None:
    rounds = [np.random.default_rng(i).exponential(size=10 + i) for i in range(6)]
    for quantile in (0.5, 0.9):
        low, high = cluster_bootstrap(rounds, quantile)
        assert low <= np.quantile(np.concatenate(rounds), quantile) <= high


def test_bootstrap_of_one_round_claims_nothing() -> None:
    assert cluster_bootstrap([np.array([1.0, 2.0, 3.0])], 0.5) == (2.0, 2.0)


def test_bootstrap_is_repeatable() -> None:
    rounds = [np.random.default_rng(i).normal(size=20) for i in range(5)]
    assert cluster_bootstrap(rounds, 0.5) == cluster_bootstrap(rounds, 0.5)
