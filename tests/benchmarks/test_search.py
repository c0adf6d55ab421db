"""Searches replayed on recorded grids: what of the grid's hypervolume is found with what share of
its trials, over ten seeds; over one, and on the first grid only, in the smallest form.

    python -m tests.benchmarks.test_search PICTURE.html

draws the curves of docs/guide/guided_search.md as a page of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import mean, median

import pytest

import lab
from lab.plots.search import NAMES, Band, band, bands_figure
from lab.spec.search import SAMPLERS
from tests.benchmarks.form import SMALLEST
from tests.recorded import grids, load, trials_to

SEEDS, BUDGET, GOAL, DRAWN = (1, 0.04, 0.5, 0.05) if SMALLEST else (10, 0.35, 0.95, 0.4)


@cache
def runs(grid: str, sampler: str) -> tuple[tuple[float, ...], ...]:
    """For each seed, the share of the grid's hypervolume after each trial: a little beyond the
    budget, of chance to the end.
    """
    found = load(grid)
    count = len(found.trials) if sampler == "random" else round(DRAWN * len(found.trials))
    return tuple(tuple(found.shares(found.search(sampler, seed, count))) for seed in range(SEEDS))


def at_budget(grid: str, sampler: str) -> list[float]:
    count = int(BUDGET * len(load(grid).trials))
    return [run[count - 1] for run in runs(grid, sampler)]


def needed(grid: str, sampler: str) -> list[int]:
    return [trials_to(run, GOAL) for run in runs(grid, sampler)]


def row(grid: str, sampler: str) -> str:
    """What a sampler came to, in a line."""
    shares, counts = [100 * share for share in at_budget(grid, sampler)], needed(grid, sampler)
    return (
        f"{grid}, {len(load(grid).trials)} trials, {NAMES[sampler]}: {mean(shares):.1f} % of the"
        f" hypervolume ({min(shares):.1f} to {max(shares):.1f}) with {100 * BUDGET:.0f} % of the"
        f" trials; {100 * GOAL:.0f} % after {median(counts):.0f} trials ({min(counts)} to"
        f" {max(counts)})"
    )


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("grid", grids()[:1] if SMALLEST else grids())
def test_the_usual_sampler_needs_a_third_of_the_grid(grid):
    print("", *(row(grid, sampler) for sampler in SAMPLERS), sep="\n")
    if SMALLEST:
        return
    assert max(needed(grid, "ehvi")) <= BUDGET * len(load(grid).trials)
    assert mean(at_budget(grid, "ehvi")) > mean(at_budget(grid, "random"))
    assert median(needed(grid, "ehvi")) < median(needed(grid, "random"))


def picture() -> Mapping[str, Sequence[Band]]:
    """Title of each grid -> a band for each sampler."""
    return {
        f"{lab.model(load(grid).model).title}, {len(load(grid).trials)} trials": [
            band(NAMES[s], runs(grid, s), len(load(grid).trials)) for s in SAMPLERS
        ]
        for grid in grids()
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(
        bands_figure(picture()).update_layout(width=1200).to_html(include_plotlyjs=True)
    )
