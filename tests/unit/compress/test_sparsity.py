"""Patterns of N in M, counted group by group."""

from __future__ import annotations

import numpy as np
import pytest

from lab.compress.sparsity import PATTERNS, RAMP, UPDATES, pattern_mask, share_after, sparse_word


@pytest.mark.parametrize(("stay", "of"), PATTERNS.values())
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_group_keeps_its_largest(stay: int, of: int, axis: int) -> None:
    w = np.random.default_rng(0).normal(size=(16, 24, 8)).astype(np.float32)
    mask = pattern_mask(w, stay, of, axis)
    groups = np.moveaxis(np.abs(w), axis, -1).reshape(-1, of)
    kept = np.moveaxis(mask, axis, -1).reshape(-1, of)
    for values, flags in zip(groups, kept, strict=True):
        assert set(np.flatnonzero(flags)) == set(np.argsort(values)[-stay:])


def test_of_equal_ones_the_first_stay() -> None:
    assert (
        pattern_mask(np.ones((2, 4), np.float32), 2, 4, 1).tolist()
        == [[True, True, False, False]] * 2
    )


def test_names_say_share_and_pattern() -> None:
    words = [sparse_word("global", 0.8), sparse_word("local", 0.625), sparse_word("2:4", 0.5)]
    assert words == ["sparse80", "sparse62.5_local", "sparse_2x4"]


@pytest.mark.parametrize("total", [10, 200, 333])
def test_zeros_come_fast_at_first_and_are_all_there_at_the_end_of_the_ramp(total: int) -> None:
    shares = {
        step: share
        for step in range(1, total + 1)
        if (share := share_after(step, total)) is not None
    }
    assert len(shares) == min(UPDATES, round(RAMP * total))
    assert max(shares) == round(RAMP * total)
    assert shares[max(shares)] == 1
    for step, share in shares.items():
        assert share == pytest.approx(1 - (1 - step / round(RAMP * total)) ** 3)
    steps = np.diff(list(shares.values()))
    assert (np.diff(steps) < 1e-12).all()
