"""One replay of each recorded grid; tests/benchmarks/test_search.py has ten of each."""

from __future__ import annotations

import pytest

from tests.recorded import grids, load


def test_there_are_grids_to_replay():
    assert len(grids()) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("grid", grids())
def test_a_third_of_a_recorded_grid_finds_95_percent_of_its_hypervolume(grid):
    """More than chance finds in a third. The volume only grows, so the search may end before."""
    found = load(grid)
    count = int(0.35 * len(found.trials))
    chance = max(found.shares(found.search("random", seed, count))[-1] for seed in range(5))

    def enough(tried):
        share = found.shares(tried)[-1]
        return share >= 0.95 and share > chance

    tried = found.search("ehvi", 0, count, enough=enough)
    assert len(tried) <= count
    assert enough(tried)
