"""How far a variant is from the float model: against the definitions, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from lab.metrics.accuracy_change import accuracy_change
from lab.metrics.kl_divergence import kl_divergence
from lab.metrics.sqnr_db import sqnr_db
from lab.statistics import paired_difference

BASE = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
NOISY = BASE + np.float32(0.1) * np.random.default_rng(1).normal(size=BASE.shape).astype(np.float32)


def test_noise_of_a_tenth_is_20_db_below() -> None:
    found = sqnr_db(NOISY, BASE)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(20, abs=0.3)
    assert found.low < found.value < found.high


def test_equal_answers_have_no_ratio() -> None:
    assert sqnr_db(BASE, BASE) is None
    assert sqnr_db(BASE, np.zeros_like(BASE)) is None


def test_divergence_is_scipys() -> None:
    p, q = (
        np.exp(x.astype(float)) / np.exp(x.astype(float)).sum(axis=1, keepdims=True)
        for x in (BASE, NOISY)
    )
    found = kl_divergence(NOISY, BASE)
    assert found.value == pytest.approx(entropy(p, q, axis=1).mean(), rel=1e-6)
    assert kl_divergence(BASE, BASE).value == 0


def test_items_won_and_lost_are_counted_against_the_truth() -> None:
    labels = np.array([0, 1, 2, 0])
    base = np.eye(3)[[0, 1, 0, 1]]
    variant = np.eye(3)[[0, 2, 2, 0]]  # loses the second, wins the third and the fourth
    found = accuracy_change(variant, labels, base)
    assert (found.value, found.n) == (0.25, 4)


def test_the_paired_interval_covers_the_truth() -> None:
    rng, covered, n = np.random.default_rng(0), 0, 500
    for _ in range(1000):
        drawn = rng.multinomial(n, [0.06, 0.03, 0.91])
        low, high = paired_difference(int(drawn[0]), int(drawn[1]), n)
        covered += low <= 0.03 <= high
    assert 0.93 <= covered / 1000 <= 0.975
    assert paired_difference(0, 0, 10)[0] < 0 < paired_difference(0, 0, 10)[1]
