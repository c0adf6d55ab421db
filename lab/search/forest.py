"""Forests of randomized trees over traits, which model effects in a part of the grid, such as a
setting that only matters with two bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.search.gaussian import indicators
from lab.search.space import Candidate

Array = NDArray[np.float64]
TREES, LEAF, SHARE = 30, 1, 0.5
"""Number of trees; smallest number of trials in a leaf; share of the traits that each split chooses
from.
"""


def matrix(candidates: Sequence[Candidate]) -> Array:
    """Return the indicators of traits, (candidates, traits): 1 if a candidate has the trait."""
    return indicators(
        [
            frozenset(f"{group} {t}" for group, traits in c.traits.items() for t in traits)
            for c in candidates
        ]
    )


class Forest:
    """Prediction of one value for every candidate, from those that were tried.

    The spread follows from the law of total variance over trees: the disagreement between trees and
    within leaves (Hutter et al., Artificial Intelligence 206, 2014).

    Args:
        traits: see `matrix`.
        tried: row indices; values: their outcomes.
        seed: equal seeds and data give equal trees.

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
