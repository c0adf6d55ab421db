"""The processes are checked against the textbook's formulas, the expectation against drawn
samples.
"""

from __future__ import annotations

import numpy as np
import pytest

from lab.analysis.hypervolume import hypervolume
from lab.search.ehvi import expected_improvement
from lab.search.gaussian import (
    Apart,
    Kernel,
    Posterior,
    Traits,
    _uphill,
    centre,
    distances,
    indicators,
    likeliest,
)


def traits(n: int, kinds: int, seed: int) -> list[frozenset[str]]:
    random = np.random.default_rng(seed)
    return [frozenset(f"t{k}" for k in range(kinds) if random.random() < 0.4) for _ in range(n)]


def test_distances_count_traits():
    has = indicators([frozenset("ab"), frozenset("bc"), frozenset("ab"), frozenset()])
    found = distances(has, has)
    assert found.tolist() == [[0, 2, 0, 2], [2, 0, 2, 2], [0, 2, 0, 2], [2, 2, 2, 0]]


def grouped(how: list[list[frozenset[str]]], where: list[list[frozenset[str]]]) -> Traits:
    return Traits(tuple(map(indicators, how)), tuple(map(indicators, where)))


def some(n: int, seed: int) -> Traits:
    """Two groups of traits for recipes, one for targets."""
    return grouped([traits(n, 6, seed), traits(n, 8, seed + 1)], [traits(n, 4, seed + 2)])


def whole(n: int, seed: int) -> Apart:
    """All from all."""
    return some(n, seed).apart(range(n))


def plain(kernel: Kernel, where: Apart) -> np.ndarray:
    """The covariance by its formula."""
    lengths = np.exp(kernel.raw[4:])
    recipe = np.exp(-where.how[0] / lengths[0] - where.how[1] / lengths[1])
    target = np.exp(-where.where[0] / lengths[2])
    a, b, c = np.exp(kernel.raw[:3])
    return a * recipe + b * target + c * recipe * target


def test_covariances_are_positive_definite():
    found = Kernel(centre(2, 1)[0], 2).covariance(whole(40, 0))
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_uphill_is_uphill():
    """The gradient is that of small steps."""
    where, prior, random = whole(25, 3), centre(2, 1), np.random.default_rng(0)
    y, raw = random.normal(size=25), prior[0] + 0.3 * random.normal(size=7)
    _, gradient = _uphill(raw, where, y, prior)
    steps = 1e-5 * np.eye(7)
    assert gradient == pytest.approx(
        [
            (_uphill(raw + e, where, y, prior)[0] - _uphill(raw - e, where, y, prior)[0]) / 2e-5
            for e in steps
        ],
        rel=1e-5,
    )


def test_the_likeliest_setting_is_likelier_than_others():
    where, prior, random = whole(25, 5), centre(2, 1), np.random.default_rng(1)
    y = random.normal(size=25)
    best = _uphill(likeliest(where, y).raw, where, y, prior)[0]
    others = [
        _uphill(prior[0] + prior[1] * random.normal(size=7), where, y, prior)[0] for _ in range(50)
    ]
    assert best <= min(others) + 1e-6


def test_the_posterior_is_the_textbooks():
    where = some(30, 2)
    values, tried = np.random.default_rng(4).normal(size=12), list(range(12))
    found = Posterior(where, tried, values)
    k, noise = plain(found.kernel, where.apart(range(30))), found.kernel.noise
    inverse = np.linalg.inv(k[:12, :12] + noise * np.eye(12))
    y = values - values.mean()
    assert found.mean == pytest.approx(values.mean() + k[:, :12] @ inverse @ y)
    variance = np.diag(k - k[:, :12] @ inverse @ k[:12, :])
    assert found.unit == pytest.approx(np.sqrt((12 * values.var() + 2) / 14))
    assert found.spread == pytest.approx(found.unit * np.sqrt(np.maximum(variance, 1e-8)))


def test_equal_values_do_not_make_it_sure():
    """Float models are alike in size; that other recipes were, too, does not follow."""
    where = some(30, 11)
    found = Posterior(where, list(range(6)), np.full(6, 0.05) + 1e-3 * np.arange(6))
    assert np.median(found.spread[6:]) > 0.1


def test_to_suppose_a_value_is_to_learn_it():
    """The spread becomes that of a process which was told one value more."""
    where = some(30, 8)
    values = np.random.default_rng(7).normal(size=12)
    found = Posterior(where, list(range(12)), values)
    k, noise = plain(found.kernel, where.apart(range(30))), found.kernel.noise
    for row in (20, 25):
        found.suppose(row)
    rows = [*range(12), 20, 25]
    inside = np.linalg.inv(k[np.ix_(rows, rows)] + noise * np.eye(14))
    variance = np.diag(k - k[:, rows] @ inside @ k[rows, :])
    assert found.spread == pytest.approx(found.unit * np.sqrt(np.maximum(variance, 1e-8)), rel=1e-6)


def test_it_finds_out_what_matters():
    """Values that depend on the target alone are predicted for recipes never seen there."""
    random = np.random.default_rng(8)
    recipes, targets = traits(20, 10, 9), [frozenset({f"runtime{n}"}) for n in range(4)]
    pairs = [(r, t) for r in range(20) for t in range(4)]
    where = grouped([[recipes[r] for r, _ in pairs]], [[targets[t] for _, t in pairs]])
    truth = np.array([[0.0, 1.0, 5.0, 2.0][t] for _, t in pairs]) + 0.01 * random.normal(
        size=len(pairs)
    )
    tried = [int(n) for n in random.permutation(len(pairs))[:20]]
    found = Posterior(where, tried, truth[tried])
    assert np.abs(found.mean - truth).max() < 0.3


@pytest.mark.parametrize("objectives", [2, 3])
def test_expected_improvement_agrees_with_drawn_samples(objectives):
    random = np.random.default_rng(objectives)
    front = random.random((5, objectives))
    mean, spread = random.random((4, objectives)), 0.05 + 0.3 * random.random((4, objectives))
    found = expected_improvement(mean, spread, front)
    whole, drawn = hypervolume(front), 4000
    for n in range(len(mean)):
        points = mean[n] + spread[n] * random.normal(size=(drawn, objectives))
        gains = np.array([hypervolume(np.vstack([front, p])) - whole for p in points])
        assert found[n] == pytest.approx(gains.mean(), abs=4 * gains.std() / np.sqrt(drawn))


def test_on_an_empty_front_the_whole_box_is_expected():
    found = expected_improvement(np.array([[2.0, 3.0]]), np.array([[1e-4, 1e-4]]), np.zeros((0, 2)))
    assert found[0] == pytest.approx(6.0, rel=1e-3)
