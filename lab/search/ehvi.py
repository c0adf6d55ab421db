"""Sampler of the lab: models every objective and proposes the candidates with the largest expected
gain in hypervolume.

Two kinds of models alternate. Gaussian processes (`gaussian.py`) extrapolate well from few trials;
forests (`forest.py`) find effects that only hold in a part of the grid, where a process that fits
the rest is overconfident. The expectation is exact for independent normal objectives: a sum over
the boxes not dominated by the front (Yang et al., Journal of Global Optimization 75, 2019). In a
batch, each candidate is assumed to have its expected outcome before the next is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lab.analysis.front import non_dominated
from lab.analysis.hypervolume import free_boxes
from lab.search.forest import Forest, matrix
from lab.search.gaussian import Posterior, Traits, indicators
from lab.search.space import HOW, WHERE, Outcome, Task

Array = NDArray[np.float64]
BOXES = 1024
"""Number of boxes processed together; more would take gigabytes for large fronts and grids."""
LEAST_CHANCE = 0.1
"""Lower bound of the predicted probability of success."""
VARIETY, ENOUGH = 4, 3
"""Smallest numbers of distinct technique chains and of outcomes with values for which models are
used.
"""


def propose(task: Task, count: int) -> list[str]:
    """Return the keys of the candidates to try next."""
    random = np.random.default_rng(task.randomness)
    tried_chains = {
        c.techniques
        for c in task.candidates
        if (o := task.outcomes.get(c.key)) and (o.gains or o.failed)
    }
    if (
        len(tried_chains) < VARIETY
        or sum(o.gains is not None for o in task.outcomes.values()) < ENOUGH
    ):
        return varied(task, count, random)
    model, chosen = Model(task), list[int]()
    noise = 1e-9 * random.random(len(task.candidates))  # equal ones in random order
    for turn in range(len(task.outcomes), len(task.outcomes) + min(count, len(task.left))):
        learnt = model.forests if turn % 2 else model.processes
        worth = model.worth(learnt) + noise
        worth[[*model.tried, *chosen]] = -np.inf
        chosen.append(int(np.argmax(worth)))
        model.suppose(learnt, chosen[-1])
    return [task.candidates[row].key for row in chosen]


def varied(task: Task, count: int, random: np.random.Generator) -> list[str]:
    """Choose the first candidates: a random one, then those with the least in common with the ones
    before.
    """
    rows = {c.key: n for n, c in enumerate(task.candidates)}
    left = [rows[c.key] for c in task.left]
    traits = Traits(_indicators(task, HOW), ())
    tried = [rows[key] for key in task.outcomes if key in rows]
    nearest = traits.apart(tried).how.sum(axis=0).min(axis=0, initial=np.inf)
    chosen = list[int]()
    while left and len(chosen) < count:
        far = np.minimum(nearest[left], 1e9) + random.random(len(left))
        chosen.append(left.pop(int(np.argmax(far))))
        nearest = np.minimum(nearest, traits.apart([chosen[-1]]).how.sum(axis=0)[0])
    return [task.candidates[row].key for row in chosen]


def _indicators(task: Task, groups: Sequence[str]) -> tuple[Array, ...]:
    return tuple(indicators([c.traits[group] for c in task.candidates]) for group in groups)


class Model:
    """Models of objectives, limits and failures."""

    def __init__(self, task: Task) -> None:
        self.task, rows = task, {c.key: n for n, c in enumerate(task.candidates)}
        known = [(rows[key], o) for key, o in task.outcomes.items() if key in rows]
        self.tried = [row for row, _ in known]
        measured = [(row, o) for row, o in known if o.gains is not None]
        self.rows, self.gains = (
            [row for row, _ in measured],
            _softened(np.array([o.gains or () for _, o in measured])),
        )
        self.excess = np.clip([o.excess or () for _, o in measured], -1.0, 1.0)
        self.works = self._chance_to_work(known)
        counting = [o.gains for o in task.outcomes.values() if o.counts and o.gains is not None]
        self.front = _front(np.array(counting).reshape(-1, task.objectives))

    @cached_property
    def groups(self) -> Traits:
        """Return the candidates' traits by group."""
        return Traits(*(_indicators(self.task, groups) for groups in (HOW, WHERE)))

    @cached_property
    def traits(self) -> Array:
        """Return the candidates' traits, (candidates, traits)."""
        return matrix(self.task.candidates)

    @cached_property
    def processes(self) -> list[Posterior]:
        """Return a Gaussian process for each objective."""
        return [
            Posterior(self.groups, self.rows, self.gains[:, n]) for n in range(self.task.objectives)
        ]

    @cached_property
    def forests(self) -> list[Forest]:
        """Return a forest for each objective."""
        return [
            Forest(self.traits, self.rows, self.gains[:, n], self.task.randomness)
            for n in range(self.task.objectives)
        ]

    @cached_property
    def limits(self) -> list[Posterior]:
        """Return a Gaussian process for each limit."""
        return [
            Posterior(self.groups, self.rows, self.excess[:, n]) for n in range(self.task.limits)
        ]

    def _chance_to_work(self, known: Sequence[tuple[int, Outcome]]) -> Array:
        ended = [(row, o.failed) for row, o in known if o.failed or o.gains is not None]
        if not any(failed for _, failed in ended):
            return np.ones(len(self.task.candidates))
        worked = np.array([0.0 if failed else 1.0 for _, failed in ended])
        return np.clip(
            Forest(self.traits, [row for row, _ in ended], worked, self.task.randomness).mean,
            LEAST_CHANCE,
            1.0,
        )

    def worth(self, learnt: Sequence[Posterior | Forest]) -> Array:
        """Return the expected gain in hypervolume times the probability of success within the
        limits, (candidates,).
        """
        from scipy.special import ndtr

        allowed = (
            np.prod([ndtr(-p.mean / p.spread) for p in self.limits], axis=0) if self.limits else 1.0
        )
        mean, spread = (
            np.column_stack([p.mean for p in learnt]),
            np.column_stack([p.spread for p in learnt]),
        )
        return np.asarray(self.works * allowed * expected_improvement(mean, spread, self.front))

    def suppose(self, learnt: Sequence[Posterior | Forest], row: int) -> None:
        """Assume that this candidate has its expected outcome."""
        for posterior in (*self.processes, *self.limits):
            posterior.suppose(row)
        self.front = _front(np.vstack([self.front, [[p.mean[row] for p in learnt]]]))


def _softened(gains: Array) -> Array:
    """Compress losses by their logarithm: how far a candidate is below the reference point says
    little about other candidates, but not nothing.
    """
    return np.where(gains < 0, -np.log1p(np.maximum(-gains, 0.0)), gains)


def _front(gains: Array) -> Array:
    inside = gains[(gains > 0).all(axis=1)]
    return inside[non_dominated(inside, ["maximize"] * inside.shape[1])] if len(inside) else inside


def expected_improvement(mean: Array, spread: Array, front: Array) -> Array:
    """Return the expected gain in hypervolume from one point with independent normal gains.

    Args:
        mean, spread: (n, m).
        front: (k, m) gains of the current front.

    Returns:
        (n,).
    """
    lower, upper = free_boxes(front)
    total = np.zeros(len(mean))
    for start in range(0, len(lower), BOXES):
        total += _over(lower[start : start + BOXES], upper[start : start + BOXES], mean, spread)
    return total


def _over(lower: Array, upper: Array, mean: Array, spread: Array) -> Array:
    """Return the contribution of some of the boxes."""
    product = np.ones((len(lower), len(mean)))
    for column in range(mean.shape[1]):
        levels, where = np.unique(
            np.concatenate([lower[:, column], upper[:, column]]), return_inverse=True
        )
        above = _expected_above(levels, mean[:, column], spread[:, column])
        product *= above[where[: len(lower)]] - above[where[len(lower) :]]
    return np.asarray(product.sum(axis=0))


def _expected_above(levels: Array, mean: Array, spread: Array) -> Array:
    """Return the mean excess of a normal variable over each level, (levels, n); 0 for an infinite
    level.
    """
    from scipy.special import ndtr

    finite = np.where(np.isfinite(levels), levels, 0.0)[:, None]
    z = (mean - finite) / spread
    excess = (mean - finite) * ndtr(z) + spread * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.where(np.isfinite(levels)[:, None], excess, 0.0)
