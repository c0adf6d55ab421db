"""The lab's own sampler: learn every objective, and take the candidates of the largest expected
gain in hypervolume.

Two kinds of models take turns. Gaussian processes (`gaussian.py`) extrapolate well from few trials;
forests (`forest.py`) find what holds in a corner only, where a process that fits the rest is too
sure. The expectation is exact for independent normal objectives: a sum over the boxes that the
front leaves free (Yang et al., Journal of Global Optimization 75, 2019). Of a batch, each is taken
as if it had come out as expected before the next is chosen.
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
"""Taken together: more would take gigabytes where front and grid are large."""
LEAST_CHANCE = 0.1
"""Of working, of what is thought to fail."""
VARIETY, ENOUGH = 4, 3
"""Chains of techniques, and outcomes with numbers, without which there is nothing to learn from."""


def propose(task: Task, count: int) -> list[str]:
    """Keys of the candidates to try next."""
    random = np.random.default_rng(task.randomness)
    told = {
        c.techniques
        for c in task.candidates
        if (o := task.outcomes.get(c.key)) and (o.gains or o.failed)
    }
    if len(told) < VARIETY or sum(o.gains is not None for o in task.outcomes.values()) < ENOUGH:
        return varied(task, count, random)
    model, chosen = Model(task), list[int]()
    noise = 1e-9 * random.random(len(task.candidates))  # equal ones in a random order
    for turn in range(len(task.outcomes), len(task.outcomes) + min(count, len(task.left))):
        learnt = model.forests if turn % 2 else model.processes
        worth = model.worth(learnt) + noise
        worth[[*model.tried, *chosen]] = -np.inf
        chosen.append(int(np.argmax(worth)))
        model.suppose(learnt, chosen[-1])
    return [task.candidates[row].key for row in chosen]


def varied(task: Task, count: int, random: np.random.Generator) -> list[str]:
    """Before there is much to learn from: candidates that have least in common with those before,
    from a random one on.
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
    """Everything that is learnt: objectives, limits, and what fails."""

    def __init__(self, task: Task) -> None:
        self.task, rows = task, {c.key: n for n, c in enumerate(task.candidates)}
        known = [(rows[key], o) for key, o in task.outcomes.items() if key in rows]
        self.tried = [row for row, _ in known]
        told = [(row, o) for row, o in known if o.gains is not None]
        self.rows, self.gains = (
            [row for row, _ in told],
            _softened(np.array([o.gains or () for _, o in told])),
        )
        self.excess = np.clip([o.excess or () for _, o in told], -1.0, 1.0)
        self.works = self._chance_to_work(known)
        counting = [o.gains for o in task.outcomes.values() if o.counts and o.gains is not None]
        self.front = _front(np.array(counting).reshape(-1, task.objectives))

    @cached_property
    def groups(self) -> Traits:
        """The candidates' traits, group by group."""
        return Traits(*(_indicators(self.task, groups) for groups in (HOW, WHERE)))

    @cached_property
    def traits(self) -> Array:
        """The candidates' traits, (candidates, traits)."""
        return matrix(self.task.candidates)

    @cached_property
    def processes(self) -> list[Posterior]:
        """A Gaussian process for each objective."""
        return [
            Posterior(self.groups, self.rows, self.gains[:, n]) for n in range(self.task.objectives)
        ]

    @cached_property
    def forests(self) -> list[Forest]:
        """A forest for each objective."""
        return [
            Forest(self.traits, self.rows, self.gains[:, n], self.task.randomness)
            for n in range(self.task.objectives)
        ]

    @cached_property
    def limits(self) -> list[Posterior]:
        """A Gaussian process for each limit."""
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
        """(candidates,) expected gain in hypervolume, by the chance that it works and keeps the
        limits.
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
        """Take it that this candidate comes out as expected."""
        for posterior in (*self.processes, *self.limits):
            posterior.suppose(row)
        self.front = _front(np.vstack([self.front, [[p.mean[row] for p in learnt]]]))


def _softened(gains: Array) -> Array:
    """Losses by their logarithm: how much worse than useless something is tells little, but more
    than nothing of what else may be.
    """
    return np.where(gains < 0, -np.log1p(np.maximum(-gains, 0.0)), gains)


def _front(gains: Array) -> Array:
    inside = gains[(gains > 0).all(axis=1)]
    return inside[non_dominated(inside, ["maximize"] * inside.shape[1])] if len(inside) else inside


def expected_improvement(mean: Array, spread: Array, front: Array) -> Array:
    """Expected growth of the hypervolume by one point whose gains are independent and normal.

    Args:
        mean, spread: (n, m).
        front: (k, m) gains that are there.

    Returns:
        (n,).
    """
    lower, upper = free_boxes(front)
    total = np.zeros(len(mean))
    for start in range(0, len(lower), BOXES):
        total += _over(lower[start : start + BOXES], upper[start : start + BOXES], mean, spread)
    return total


def _over(lower: Array, upper: Array, mean: Array, spread: Array) -> Array:
    """What some of the boxes add."""
    product = np.ones((len(lower), len(mean)))
    for column in range(mean.shape[1]):
        levels, where = np.unique(
            np.concatenate([lower[:, column], upper[:, column]]), return_inverse=True
        )
        above = _expected_above(levels, mean[:, column], spread[:, column])
        product *= above[where[: len(lower)]] - above[where[len(lower) :]]
    return np.asarray(product.sum(axis=0))


def _expected_above(levels: Array, mean: Array, spread: Array) -> Array:
    """(levels, n): by how much a normal number exceeds each level, on average; 0 for an infinite
    level.
    """
    from scipy.special import ndtr

    finite = np.where(np.isfinite(levels), levels, 0.0)[:, None]
    z = (mean - finite) / spread
    found = (mean - finite) * ndtr(z) + spread * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.where(np.isfinite(levels)[:, None], found, 0.0)
