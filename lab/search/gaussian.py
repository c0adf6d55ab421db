"""Gaussian processes over recipes and targets: what is alike in its traits is alike in its numbers.

Two candidates that differ in d traits are correlated by exp(-d / length), which is a product of kernels of one trait each and so positive
definite. The covariance is a sum of what the recipe does, what the target does, and what the recipe does on that target; how much of each,
and how long the lengths are, is what makes the data likeliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DRAWS, STEPS, SPREAD = 48, 32, 0.6
"""Settings drawn at first; then around the best so far, by a factor of about exp(SPREAD)."""


def distances(traits: Sequence[frozenset[str]]) -> Array:
    """(n, n): how many traits each two differ in."""
    columns = {trait: number for number, trait in enumerate(sorted(frozenset().union(*traits)))}
    has = np.zeros((len(traits), len(columns)))
    for row, own in zip(has, traits, strict=True):
        row[[columns[trait] for trait in own]] = 1.0
    counts = has.sum(axis=1)
    return np.asarray(counts[:, None] + counts[None, :] - 2 * has @ has.T)


@dataclass(frozen=True)
class Setting:
    """Shares of the variance (recipe, target, both, noise; they sum to 1) and two lengths, in traits."""

    shares: tuple[float, float, float, float]
    recipe_length: float
    target_length: float

    @classmethod
    def of(cls, raw: Array) -> Setting:
        """From six real numbers."""
        shares = np.exp(raw[:4] - raw[:4].max())
        share = [float(s) for s in np.maximum(shares / shares.sum(), 1e-4)]
        return cls((share[0], share[1], share[2], share[3]), float(np.exp(raw[4])), float(np.exp(raw[5])))

    def covariance(self, how: Array, where: Array) -> Array:
        """Of two sets of candidates, from their distances, without the noise."""
        recipe, target = np.exp(-how / self.recipe_length), np.exp(-where / self.target_length)
        made, runs, both, _ = self.shares
        return np.asarray(made * recipe + runs * target + both * recipe * target)


CENTRE = np.array([0.0, 0.0, 0.0, -3.0, np.log(8.0), np.log(4.0)])
WIDTH = np.array([1.5, 1.5, 1.5, 2.0, 1.0, 1.0])


def _likelihood(setting: Setting, how: Array, where: Array, y: Array) -> float:
    """Logarithm, up to a constant, with the variance that fits best."""
    k = setting.covariance(how, where) + setting.shares[3] * np.eye(len(y))
    try:
        lower = np.linalg.cholesky(k)
    except np.linalg.LinAlgError:
        return -np.inf
    white = np.linalg.solve(lower, y)
    return float(-0.5 * len(y) * np.log(white @ white / len(y) + 1e-12) - np.log(np.diag(lower)).sum())


def likeliest(how: Array, where: Array, y: Array) -> Setting:
    """The setting that makes the data likeliest, of a fixed series of draws: the same data give the same setting.

    The prior keeps few data from an extreme setting.
    """
    random = np.random.default_rng(0)

    def value(raw: Array) -> float:
        prior = -0.5 * float((((raw - CENTRE) / WIDTH) ** 2).sum())
        return _likelihood(Setting.of(raw), how, where, y) + prior

    draws = [CENTRE, *(CENTRE + WIDTH * random.normal(size=(DRAWS, len(CENTRE))))]
    values = [value(raw) for raw in draws]
    best, reached = draws[int(np.argmax(values))], max(values)
    for _ in range(STEPS):
        near = best + SPREAD * random.normal(size=len(CENTRE)) * (random.random(len(CENTRE)) < 0.5)
        if (now := value(near)) > reached:
            best, reached = near, now
    return Setting.of(best)


class Posterior:
    """What is known of one number of every candidate, after some of them were tried.

    Args:
        how, where: (n, n) distances of all candidates.
        tried: row numbers, values: what was found there.
    """

    def __init__(self, how: Array, where: Array, tried: Sequence[int], values: Array) -> None:
        rows = np.asarray(tried, dtype=int)
        self.shift, self.unit = float(values.mean()), float(values.std()) or 1.0
        y = (values - self.shift) / self.unit
        own = np.ix_(rows, rows)
        self.setting = likeliest(how[own], where[own], y)
        self._how, self._where, noise = how, where, self.setting.shares[3]
        lower = np.linalg.cholesky(self.setting.covariance(how[own], where[own]) + noise * np.eye(len(rows)))
        self._root = np.linalg.solve(lower, self.setting.covariance(how[rows], where[rows]))
        white = np.linalg.solve(lower, y)
        self._scale = float(white @ white / len(rows)) if len(rows) > 1 else 1.0
        self._mean = self._root.T @ white
        self._left = np.full(len(how), sum(self.setting.shares[:3])) - (self._root**2).sum(axis=0)

    @property
    def mean(self) -> Array:
        """(n,) expected values."""
        return self.shift + self.unit * self._mean

    @property
    def spread(self) -> Array:
        """(n,) standard deviations."""
        return np.asarray(self.unit * np.sqrt(np.maximum(self._scale * self._left, 1e-8)))

    def suppose(self, row: int) -> None:
        """Take it that this candidate comes out as expected: what is like it is then known better."""
        column = (
            self.setting.covariance(self._how[row][None], self._where[row][None])[0] - self._root.T @ self._root[:, row]
        )
        height = float(np.sqrt(max(self._left[row], 1e-12) + self.setting.shares[3]))
        self._root = np.vstack([self._root, column / height])
        self._left = self._left - (column / height) ** 2
