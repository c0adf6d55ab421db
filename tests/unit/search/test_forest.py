"""A forest learns what holds in a corner only, and says where it knows nothing."""

from __future__ import annotations

import numpy as np

from lab.search.forest import Forest, matrix
from lab.search.space import Candidate


def grid() -> list[Candidate]:
    """Four widths by eight settings; with two bits, and then only, a setting matters."""
    return [
        Candidate(
            f"{bits} {setting}",
            "q",
            {},
            "t",
            {"bits": frozenset({f"wi{bits}"}), "setting": frozenset({f"s{setting}"})},
        )
        for bits in (2, 4, 8, 16)
        for setting in range(8)
    ]


def value(c: Candidate) -> float:
    bits, setting = map(int, c.key.split())
    return 1.0 if bits > 2 else -setting / 2


def test_traits_are_columns():
    found = matrix(grid())
    assert found.shape == (32, 12)
    assert set(found.sum(axis=1)) == {2.0}


def test_it_is_surer_where_nothing_matters():
    candidates = grid()
    values = np.array([value(c) for c in candidates])
    tried = [n for n in range(32) if n % 8 < 5]
    found = Forest(matrix(candidates), tried, values[tried], (0, 1))
    left = [n for n in range(32) if n % 8 >= 5]
    few, many = [n for n in left if n < 8], [n for n in left if n >= 8]
    assert np.abs(found.mean[many] - 1.0).max() < 0.35
    assert found.spread[few].min() > 2 * np.median(found.spread[many])
    assert (found.mean[few] < 0.3).all()


def test_the_same_seed_grows_the_same_trees():
    candidates = grid()
    values = np.array([value(c) for c in candidates[:20]])
    first, same, other = (
        Forest(matrix(candidates), range(20), values, seed) for seed in ((0, 1), (0, 1), (0, 2))
    )
    assert (first.mean == same.mean).all()
    assert (first.mean != other.mean).any()
