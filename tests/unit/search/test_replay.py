"""One replay of each recorded grid; tests/benchmarks/test_search.py has ten of each."""

from __future__ import annotations

import pytest

from tests.recorded import grids, load


def test_there_are_grids_to_replay():
    assert len(grids()) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("grid", grids())
def test_a_third_of_a_recorded_grid_finds_95_percent_of_its_hypervolume(grid):
    found = load(grid)
    count = int(0.35 * len(found.trials))
    shares = found.shares(found.search("ehvi", 0, count))
    assert len(shares) == count
    assert shares[-1] >= 0.95
    chance = [found.shares(found.search("random", seed, count))[-1] for seed in range(5)]
    assert shares[-1] > max(chance)
