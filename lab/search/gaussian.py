"""Gaussian processes over recipes and targets: what is alike in its traits is alike in its numbers.

Two candidates that differ in d traits of a group are correlated by exp(-d / length of the group),
which is a product of kernels of one trait each and so positive definite. The covariance is a sum of
what the recipe does, what the target does, and what the recipe does on that target. How much of
each there is, and how long each length is, is what makes the data likeliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DRAWS, STEPS = 16, 40
"""Settings drawn to begin with the best of, and steps uphill from there."""
LEAST_NOISE, SUPPOSED = 1e-4, 2.0
"""Of the variance; and how many outcomes the guess that gains differ by about 1 is worth, before
they are seen to.
"""


def indicators(traits: Sequence[frozenset[str]]) -> Array:
    """(n, traits): 1 where one of the n has the trait."""
    columns = {trait: number for number, trait in enumerate(sorted(frozenset().union(*traits)))}
    has = np.zeros((len(traits), len(columns)))
    for row, own in zip(has, traits, strict=True):
        row[[columns[trait] for trait in own]] = 1.0
    return has


def distances(a: Array, b: Array) -> Array:
    """(n, m): how many traits each of n differs in from each of m, given as `indicators`."""
    return np.asarray(a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - 2 * a @ b.T)


@dataclass(frozen=True)
class Apart:
    """How far some are apart from others: (groups, n, m) of their recipes, and of their targets."""

    how: Array
    where: Array


@dataclass(frozen=True)
class Traits:
    """`indicators` of all candidates, for each group of recipes and of targets."""

    how: tuple[Array, ...]
    where: tuple[Array, ...]

    def apart(self, rows: Sequence[int], columns: Sequence[int] | None = None) -> Apart:
        """Some from others, or from all: never all from all, which would take gigabytes for
        thousands.
        """
        return Apart(
            *(
                np.array([self._between(has, rows, columns) for has in groups])
                for groups in (self.how, self.where)
            )
        )

    @staticmethod
    def _between(has: Array, rows: Sequence[int], columns: Sequence[int] | None) -> Array:
        return distances(has[list(rows)], has if columns is None else has[list(columns)])


class Kernel:
    """Covariances under a setting.

    Args:
        raw: logarithms of three variances (recipe, target, both), of the noise, and of a length for
            each group.
        groups: how many of the lengths are of recipes.
    """

    def __init__(self, raw: Array, groups: int) -> None:
        self.raw, self.groups = raw, groups
        self.variances, self.noise = np.exp(raw[:3]), float(np.exp(raw[3])) + LEAST_NOISE

    def parts(self, apart: Apart) -> tuple[Array, Array, Array]:
        """What of the covariance comes from recipe, target and both."""
        weights = np.exp(-self.raw[4:])
        recipe = np.exp(-np.tensordot(weights[: self.groups], apart.how, 1))
        target = np.exp(-np.tensordot(weights[self.groups :], apart.where, 1))
        made, runs, both = self.variances
        return made * recipe, runs * target, both * recipe * target

    def covariance(self, apart: Apart) -> Array:
        """Without the noise."""
        return np.asarray(sum(self.parts(apart)))


def centre(how: int, where: int) -> tuple[Array, Array]:
    """What is expected of a setting before there are data, and how far it may be from that."""
    lengths = np.log(np.array([3.0] * how + [2.0] * where))
    return np.concatenate([[-1.0, -1.0, -1.0, -5.0], lengths]), np.array(
        [1.5, 1.5, 1.5, 2.0] + [1.5] * (how + where)
    )


def _uphill(raw: Array, apart: Apart, y: Array, prior: tuple[Array, Array]) -> tuple[float, Array]:
    """Minus the logarithm of the posterior density of a setting, up to a constant, and its
    gradient.
    """
    kernel = Kernel(raw, len(apart.how))
    made, runs, both = kernel.parts(apart)
    try:
        lower = np.linalg.cholesky(made + runs + both + kernel.noise * np.eye(len(y)))
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(raw)
    inverse = np.linalg.inv(lower)
    inverse = inverse.T @ inverse
    alpha = inverse @ y
    slope = 0.5 * (np.outer(alpha, alpha) - inverse)
    weights, of_recipe, of_target = np.exp(-raw[4:]), slope * (made + both), slope * (runs + both)
    gradient = np.concatenate(
        [
            [(slope * part).sum() for part in (made, runs, both)],
            [np.trace(slope) * (kernel.noise - LEAST_NOISE)],
            weights[: kernel.groups] * np.tensordot(apart.how, of_recipe, 2),
            weights[kernel.groups :] * np.tensordot(apart.where, of_target, 2),
        ]
    )
    off = (raw - prior[0]) / prior[1]
    value = -0.5 * float(y @ alpha) - float(np.log(np.diag(lower)).sum()) - 0.5 * float(off @ off)
    return -value, -(gradient - off / prior[1])


def likeliest(apart: Apart, y: Array) -> Kernel:
    """The setting that makes the data likeliest: the same data give the same setting.

    Args:
        y: values of mean 0 and a variance of about 1.
    """
    from scipy.optimize import minimize

    prior = centre(len(apart.how), len(apart.where))
    random = np.random.default_rng(0)
    draws = [prior[0], *(prior[0] + prior[1] * random.normal(size=(DRAWS, len(prior[0]))))]
    start = min(draws, key=lambda raw: _uphill(raw, apart, y, prior)[0])
    found = minimize(
        _uphill, start, (apart, y, prior), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}
    )
    return Kernel(found.x, len(apart.how))


class Posterior:
    """What is known of one number of every candidate, after some of them were tried.

    Args:
        traits: of all candidates.
        tried: row numbers, values: what was found there.
    """

    def __init__(self, traits: Traits, tried: Sequence[int], values: Array) -> None:
        self.shift = float(values.mean())
        self.unit = float(
            np.sqrt((values.var() * len(values) + SUPPOSED) / (len(values) + SUPPOSED))
        )
        y, own = (values - self.shift) / self.unit, traits.apart(tried, tried)
        self.kernel, self._traits = likeliest(own, y), traits
        lower = np.linalg.cholesky(
            self.kernel.covariance(own) + self.kernel.noise * np.eye(len(tried))
        )
        self._root = np.linalg.solve(lower, self.kernel.covariance(traits.apart(tried)))
        self._mean = self._root.T @ np.linalg.solve(lower, y)
        self._left = np.full(self._root.shape[1], self.kernel.variances.sum()) - (
            self._root**2
        ).sum(axis=0)

    @property
    def mean(self) -> Array:
        """(n,) expected values."""
        return self.shift + self.unit * self._mean

    @property
    def spread(self) -> Array:
        """(n,) standard deviations."""
        return np.asarray(self.unit * np.sqrt(np.maximum(self._left, 1e-8)))

    def suppose(self, row: int) -> None:
        """Take it that this candidate comes out as expected: what is like it is then known
        better.
        """
        column = (
            self.kernel.covariance(self._traits.apart([row]))[0] - self._root.T @ self._root[:, row]
        )
        height = float(np.sqrt(max(self._left[row], 1e-12) + self.kernel.noise))
        self._root = np.vstack([self._root, column / height])
        self._left = self._left - (column / height) ** 2
