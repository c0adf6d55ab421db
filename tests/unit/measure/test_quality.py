"""What is said about a measurement, and what is kept of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.measure.quality import clean_rounds, flags_of, timing_of


def turns(medians: list[float], disturbed: set[int] = frozenset()) -> list[dict[str, Any]]:  # type: ignore[assignment]
    return [
        {
            "round": n,
            "samples": [0.9 * m, m, 1.1 * m],
            "warmup": [2 * m],
            "contended": n in disturbed,
            "disturbed": "shared CPU" if n in disturbed else "",
        }
        for n, m in enumerate(medians)
    ]


def test_steady_rounds_have_no_flag() -> None:
    assert flags_of(turns([1.0] * 10), 0.02) == []


@pytest.mark.parametrize(("disturbed", "flagged"), [(2, False), (6, True), (10, True)])
def test_too_few_undisturbed_rounds_are_flagged(disturbed: int, flagged: bool) -> None:
    assert ("contended" in flags_of(turns([1.0] * 10, set(range(disturbed))), 0.02)) is flagged


def test_rounds_far_apart_are_unstable_and_imprecise() -> None:
    medians = [1.0, 1.3] * 5
    spread = float(np.std(medians) / np.mean(medians))
    assert spread > 0.1
    assert flags_of(turns(medians), 0.02) == ["unstable", "imprecise"]
    assert flags_of(turns(medians), 1.0) == ["unstable"]


def test_only_undisturbed_rounds_count_unless_they_are_too_few_for_an_interval() -> None:
    assert list(clean_rounds(turns([1.0, 2.0, 3.0], {1}))) == [0, 2]
    assert list(clean_rounds(turns([1.0, 2.0, 3.0], {0, 1}))) == [0, 1, 2]
    assert list(clean_rounds(turns([1.0, 2.0], {0, 1}))) == [0, 1]


def test_the_turns_of_a_round_count_as_one() -> None:
    two = [{**t, "round": n // 2} for n, t in enumerate(turns([1.0, 2.0, 3.0, 4.0], {3}))]
    assert {n: len(samples) for n, samples in clean_rounds(two).items()} == {0: 6, 1: 3}


def test_what_a_trial_keeps() -> None:
    kept = timing_of(turns([1.0, 2.0, 1.0], {1}), "abc")
    assert (kept["session"], kept["rounds"], kept["medians_s"]) == ("abc", [0, 2], [1.0, 1.0])
    assert (kept["disturbed"], kept["turns"]) == ({"shared CPU": 1}, 3)
    assert kept["seconds"] == pytest.approx(5 * (1.0 + 2.0 + 1.0))
