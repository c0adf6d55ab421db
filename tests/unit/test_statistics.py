"""Intervals against independent oracles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from lab.statistics import cluster_bootstrap, wilson


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(case: tuple[int, int]) -> None:
    successes, n = case
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_all_and_none() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_bootstrap_covers_the_true_median() -> None:
    """Rounds shifted by a drift of their own: an interval that took the runs for independent would cover far less."""
    rng, hits, studies = np.random.default_rng(7), 0, 200
    for _ in range(studies):
        drifts = rng.normal(scale=1.0, size=20)
        low, high = cluster_bootstrap([d + rng.normal(scale=0.2, size=30) for d in drifts], 0.5, draws=300)
        hits += low <= 0.0 <= high
    assert hits / studies >= 0.88


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
