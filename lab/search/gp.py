"""The lab's own sampler: Gaussian processes of every objective, and the candidates of the largest expected gain in hypervolume.

The expectation is exact for independent objectives: a sum over the boxes that the front leaves free (Yang et al., Journal of Global
Optimization 75, 2019). Of a batch, the first is taken as if it had come out as expected before the second is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.analysis.front import non_dominated
from lab.analysis.hypervolume import free_boxes
from lab.search.gaussian import Posterior, distances
from lab.search.space import Outcome, Task

Array = NDArray[np.float64]
LEAST = -0.5
"""Gains below this are all alike: how much worse than useless something is teaches nothing of what is useful."""
BOLD = (1.0, 1.0, 2.0, 4.0)
"""What spreads are multiplied by, in turn: where the processes are surer than they should be, some choices still look elsewhere."""
ENOUGH = 3
"""Outcomes without which there is nothing to learn from."""


def propose(task: Task, count: int) -> list[str]:
    """Keys of the candidates to try next."""
    random = np.random.default_rng(task.randomness)
    if sum(o.gains is not None for o in task.outcomes.values()) < ENOUGH:
        return [task.left[n].key for n in random.permutation(len(task.left))[:count]]
    model, chosen = _Model(task), list[int]()
    noise = 1e-9 * random.random(len(task.candidates))  # equal ones in a random order
    for turn in range(len(task.outcomes), len(task.outcomes) + min(count, len(task.left))):
        worth = model.worth(BOLD[turn % len(BOLD)]) + noise
        worth[[*model.tried, *chosen]] = -np.inf
        chosen.append(int(np.argmax(worth)))
        model.suppose(chosen[-1])
    return [task.candidates[row].key for row in chosen]


class _Model:
    """Everything that is learnt: objectives, limits, and what fails."""

    def __init__(self, task: Task) -> None:
        rows = {c.key: n for n, c in enumerate(task.candidates)}
        known = [(rows[key], o) for key, o in task.outcomes.items() if key in rows]
        self.tried = [row for row, _ in known]
        self.how, self.where = (distances([getattr(c, name) for c in task.candidates]) for name in ("how", "where"))
        told = [(row, o) for row, o in known if o.gains is not None]
        gains = np.maximum([o.gains or () for _, o in told], LEAST)
        self.objectives = [self._of([row for row, _ in told], gains[:, n]) for n in range(task.objectives)]
        excess = np.clip([o.excess or () for _, o in told], -1.0, 1.0)
        self.limits = [self._of([row for row, _ in told], excess[:, n]) for n in range(task.limits)]
        self.works = self._chance_to_work(known)
        counting = [o.gains for o in task.outcomes.values() if o.counts and o.gains is not None]
        self.front = _front(np.array(counting).reshape(-1, task.objectives))

    def _of(self, rows: Sequence[int], values: Array) -> Posterior:
        return Posterior(self.how, self.where, rows, values)

    def _chance_to_work(self, known: Sequence[tuple[int, Outcome]]) -> Array:
        ended = [(row, o.failed) for row, o in known if o.failed or o.gains is not None]
        if not any(failed for _, failed in ended):
            return np.ones(len(self.how))
        learnt = self._of([row for row, _ in ended], np.array([0.0 if failed else 1.0 for _, failed in ended]))
        return np.clip(learnt.mean, 0.02, 1.0)

    def worth(self, bold: float = 1.0) -> Array:
        """(candidates,) expected gain in hypervolume, by the chance that it works and keeps the limits.

        Args:
            bold: what the spreads of the objectives are multiplied by.
        """
        from scipy.special import ndtr

        allowed = np.prod([ndtr(-p.mean / p.spread) for p in self.limits], axis=0) if self.limits else 1.0
        expected = expected_improvement(
            np.column_stack([p.mean for p in self.objectives]),
            bold * np.column_stack([p.spread for p in self.objectives]),
            self.front,
        )
        return np.asarray(self.works * allowed * expected)

    def suppose(self, row: int) -> None:
        """Take it that this candidate comes out as expected."""
        for posterior in (*self.objectives, *self.limits):
            posterior.suppose(row)
        self.front = _front(np.vstack([self.front, [[p.mean[row] for p in self.objectives]]]))


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
    product = np.ones((len(lower), len(mean)))
    for column in range(mean.shape[1]):
        levels, where = np.unique(np.concatenate([lower[:, column], upper[:, column]]), return_inverse=True)
        above = _expected_above(levels, mean[:, column], spread[:, column])
        product *= above[where[: len(lower)]] - above[where[len(lower) :]]
    return np.asarray(product.sum(axis=0))


def _expected_above(levels: Array, mean: Array, spread: Array) -> Array:
    """(levels, n): by how much a normal number exceeds each level, on average; 0 for an infinite level."""
    from scipy.special import ndtr

    finite = np.where(np.isfinite(levels), levels, 0.0)[:, None]
    z = (mean - finite) / spread
    found = (mean - finite) * ndtr(z) + spread * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.where(np.isfinite(levels)[:, None], found, 0.0)
