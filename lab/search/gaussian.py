"""Gaussian processes over recipes and targets: candidates with similar traits have similar values.

Two candidates that differ in d traits of a group are correlated by exp(-d / length of the group),
which is a product of kernels of one trait each and so positive definite. The covariance is the sum
of the effects of the recipe, of the target, and of their interaction. Their variances and the
lengths maximize the likelihood of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DRAWS, STEPS = 16, 40
"""Number of random initial settings, and of gradient steps from the best of them."""
LEAST_NOISE, SUPPOSED = 1e-4, 2.0
"""Smallest noise variance, and weight of the prior variance of 1 in outcomes."""


def indicators(traits: Sequence[frozenset[str]]) -> Array:
    """Return the indicators of traits, (n, traits): 1 if one of the n has the trait."""
    columns = {trait: number for number, trait in enumerate(sorted(frozenset().union(*traits)))}
    has = np.zeros((len(traits), len(columns)))
    for row, own in zip(has, traits, strict=True):
        row[[columns[trait] for trait in own]] = 1.0
    return has


def distances(a: Array, b: Array) -> Array:
    """Return the number of traits in which each of n differs from each of m, (n, m), given as
    `indicators`.
    """
    return np.asarray(a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - 2 * a @ b.T)


@dataclass(frozen=True)
class Apart:
    """Distances between candidates, (groups, n, m), of their recipes and of their targets."""

    how: Array
    where: Array


@dataclass(frozen=True)
class Traits:
    """Indicators of all candidates for each group of recipes and of targets, see `indicators`."""

    how: tuple[Array, ...]
    where: tuple[Array, ...]

    def apart(self, rows: Sequence[int], columns: Sequence[int] | None = None) -> Apart:
        """Return the distances of some candidates from others or from all; all from all would take
        gigabytes for thousands.
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
    """Covariances for one setting of the hyperparameters.

    Args:
        raw: logarithms of three variances (recipe, target, both), of the noise, and of a length for
            each group.
        groups: number of lengths that belong to recipes.
    """

    def __init__(self, raw: Array, groups: int) -> None:
        self.raw, self.groups = raw, groups
        self.variances, self.noise = np.exp(raw[:3]), float(np.exp(raw[3])) + LEAST_NOISE

    def parts(self, apart: Apart) -> tuple[Array, Array, Array]:
        """Return the parts of the covariance from recipe, target and both."""
        weights = np.exp(-self.raw[4:])
        recipe = np.exp(-np.tensordot(weights[: self.groups], apart.how, 1))
        target = np.exp(-np.tensordot(weights[self.groups :], apart.where, 1))
        made, runs, both = self.variances
        return made * recipe, runs * target, both * recipe * target

    def covariance(self, apart: Apart) -> Array:
        """Return the covariance without the noise."""
        return np.asarray(sum(self.parts(apart)))


def centre(how: int, where: int) -> tuple[Array, Array]:
    """Return the mean and the spread of the prior of a setting."""
    lengths = np.log(np.array([3.0] * how + [2.0] * where))
    return np.concatenate([[-1.0, -1.0, -1.0, -5.0], lengths]), np.array(
        [1.5, 1.5, 1.5, 2.0] + [1.5] * (how + where)
    )


def _uphill(raw: Array, apart: Apart, y: Array, prior: tuple[Array, Array]) -> tuple[float, Array]:
    """Return the negative log posterior of a setting, up to a constant, and its gradient."""
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
    """Return the most likely setting; equal data give equal settings.

    Args:
        y: values of mean 0 and a variance of about 1.
    """
    from scipy.optimize import minimize

    prior = centre(len(apart.how), len(apart.where))
    random = np.random.default_rng(0)
    draws = [prior[0], *(prior[0] + prior[1] * random.normal(size=(DRAWS, len(prior[0]))))]
    start = min(draws, key=lambda raw: _uphill(raw, apart, y, prior)[0])
    optimum = minimize(
        _uphill, start, (apart, y, prior), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}
    )
    return Kernel(optimum.x, len(apart.how))


class Posterior:
    """Posterior of one value for every candidate, from those that were tried.

    Args:
        traits: traits of all candidates.
        tried: row indices; values: their outcomes.
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
        """Return the expected values, (n,)."""
        return self.shift + self.unit * self._mean

    @property
    def spread(self) -> Array:
        """Return the standard deviations, (n,)."""
        return np.asarray(self.unit * np.sqrt(np.maximum(self._left, 1e-8)))

    def suppose(self, row: int) -> None:
        """Assume that this candidate has its expected outcome, which reduces the uncertainty of
        similar candidates.
        """
        column = (
            self.kernel.covariance(self._traits.apart([row]))[0] - self._root.T @ self._root[:, row]
        )
        height = float(np.sqrt(max(self._left[row], 1e-12) + self.kernel.noise))
        self._root = np.vstack([self._root, column / height])
        self._left = self._left - (column / height) ** 2
