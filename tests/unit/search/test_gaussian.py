"""The processes are checked against the textbook's formulas, the expectation against drawn samples."""

from __future__ import annotations

import numpy as np
import pytest

from lab.analysis.hypervolume import hypervolume
from lab.search.gaussian import Posterior, Setting, distances, likeliest
from lab.search.gp import expected_improvement


def traits(n: int, kinds: int, seed: int) -> list[frozenset[str]]:
    random = np.random.default_rng(seed)
    return [frozenset(f"t{k}" for k in range(kinds) if random.random() < 0.4) for _ in range(n)]


def test_distances_count_traits():
    found = distances([frozenset("ab"), frozenset("bc"), frozenset("ab"), frozenset()])
    assert found.tolist() == [[0, 2, 0, 2], [2, 0, 2, 2], [0, 2, 0, 2], [2, 2, 2, 0]]


def test_covariances_are_positive_definite():
    how, where = distances(traits(40, 12, 0)), distances(traits(40, 5, 1))
    setting = Setting((0.4, 0.2, 0.3, 0.1), 3.0, 2.0)
    assert np.linalg.eigvalsh(setting.covariance(how, where)).min() > -1e-9


def test_the_posterior_is_the_textbooks():
    how, where = distances(traits(30, 10, 2)), distances(traits(30, 4, 3))
    values, tried = np.random.default_rng(4).normal(size=12), list(range(12))
    found = Posterior(how, where, tried, values)
    k, noise = found.setting.covariance(how, where), found.setting.shares[3]
    inverse = np.linalg.inv(k[:12, :12] + noise * np.eye(12))
    y = (values - values.mean()) / values.std()
    assert found.mean == pytest.approx(values.mean() + values.std() * k[:, :12] @ inverse @ y)
    scale = y @ inverse @ y / 12
    variance = np.diag(k - k[:, :12] @ inverse @ k[:12, :])
    assert found.spread == pytest.approx(values.std() * np.sqrt(np.maximum(scale * variance, 1e-8)))


def test_to_suppose_a_value_is_to_learn_it():
    """The spread becomes that of a process which was told one value more."""
    how, where = distances(traits(30, 10, 5)), distances(traits(30, 4, 6))
    values = np.random.default_rng(7).normal(size=12)
    found = Posterior(how, where, list(range(12)), values)
    k, noise = found.setting.covariance(how, where), found.setting.shares[3]
    before = found.spread.copy()
    for row in (20, 25):
        found.suppose(row)
    rows = [*range(12), 20, 25]
    inside = np.linalg.inv(k[np.ix_(rows, rows)] + noise * np.eye(14))
    variance = np.diag(k - k[:, rows] @ inside @ k[rows, :])
    unit = before / np.sqrt(np.diag(k - k[:, :12] @ np.linalg.inv(k[:12, :12] + noise * np.eye(12)) @ k[:12, :]))
    assert found.spread == pytest.approx(unit * np.sqrt(variance), rel=1e-6)


def test_it_finds_out_what_matters():
    """Values that depend on the target alone are predicted for recipes never seen there."""
    random = np.random.default_rng(8)
    recipes, targets = traits(20, 10, 9), [frozenset({f"runtime{n}"}) for n in range(4)]
    pairs = [(r, t) for r in range(20) for t in range(4)]
    how, where = distances([recipes[r] for r, _ in pairs]), distances([targets[t] for _, t in pairs])
    truth = np.array([[0.0, 1.0, 5.0, 2.0][t] for _, t in pairs]) + 0.01 * random.normal(size=len(pairs))
    tried = [int(n) for n in random.permutation(len(pairs))[:20]]
    found = Posterior(how, where, tried, truth[tried])
    assert np.abs(found.mean - truth).max() < 0.3
    assert likeliest(how, where, truth).shares[1] > 0.5


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
