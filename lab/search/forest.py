"""Forests of randomised trees over traits: what holds in a corner of the grid only, such as that a
setting matters with two bits alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.search.gaussian import indicators
from lab.search.space import Candidate

Array = NDArray[np.float64]
TREES, LEAF, SHARE = 30, 1, 0.5
"""Trees; trials in a leaf at least; share of the traits that each split chooses from."""


def matrix(candidates: Sequence[Candidate]) -> Array:
    """(candidates, traits): 1 where a candidate has the trait."""
    return indicators(
        [
            frozenset(f"{group} {t}" for group, traits in c.traits.items() for t in traits)
            for c in candidates
        ]
    )


class Forest:
    """What is expected of one number of every candidate, after some of them were tried.

    The spread is the law of total variance over trees: how far they disagree, and how far the
    trials in a leaf do (Hutter et al.,
    Artificial Intelligence 206, 2014).

    Args:
        traits: see `matrix`.
        tried: row numbers, values: what was found there.
        seed: the same seed and data make the same trees.

    Attributes:
        mean, spread: (candidates,).
    """

    def __init__(
        self, traits: Array, tried: Sequence[int], values: Array, seed: Sequence[int]
    ) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        state = int(np.random.default_rng(seed).integers(2**31))
        grown = ExtraTreesRegressor(
            TREES, min_samples_leaf=LEAF, max_features=SHARE, bootstrap=True, random_state=state
        )
        trees = [tree.tree_ for tree in grown.fit(traits[list(tried)], values).estimators_]
        leaves = [tree.apply(traits.astype(np.float32)) for tree in trees]
        means = np.array([tree.value[leaf, 0, 0] for tree, leaf in zip(trees, leaves, strict=True)])
        within = np.array([tree.impurity[leaf] for tree, leaf in zip(trees, leaves, strict=True)])
        self.mean: Array = means.mean(axis=0)
        self.spread: Array = np.sqrt(
            means.var(axis=0) + within.mean(axis=0) + 1e-6 * max(float(values.var()), 1e-6)
        )
