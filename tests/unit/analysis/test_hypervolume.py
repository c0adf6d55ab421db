"""The volume is checked against inclusion and exclusion, against counting random points, and
against closed forms.
"""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest

from lab.analysis.hypervolume import Clock, course, free_boxes, growth, hypervolume, scales
from lab.analysis.pick import Limit
from tests import fakes


def by_inclusion_and_exclusion(points) -> float:
    """Of the union of boxes from the origin: the intersection of some is the box of their least
    gains.
    """
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in combinations(points, size):
            total += (-1) ** (size + 1) * float(np.prod(np.min(chosen, axis=0)))
    return total


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_union_of_the_boxes(objectives, seed):
    points = (
        np.random.default_rng(seed).random((9, objectives)).round(1) + 0.1
    )  # rounded, so that some are equal
    assert hypervolume(points) == pytest.approx(by_inclusion_and_exclusion(points), rel=1e-9)


def test_it_agrees_with_counting_random_points():
    random = np.random.default_rng(7)
    points, thrown = random.random((60, 3)), random.random((100_000, 3))
    inside = np.zeros(len(thrown), dtype=bool)
    for point in points:
        inside |= (thrown <= point).all(axis=1)
    assert hypervolume(points) == pytest.approx(inside.mean(), abs=4 * np.sqrt(0.25 / len(thrown)))


def test_what_is_worse_than_the_reference_adds_nothing():
    assert hypervolume(np.array([[2.0, 3.0], [-1.0, 9.0], [5.0, 0.0]])) == 6.0
    assert hypervolume(np.zeros((0, 3))) == 0.0
    assert hypervolume(np.array([[-1.0, 1.0, 1.0]])) == 0.0


def test_a_thousand_points_in_three_objectives_are_quick():
    """All of them on the front, which is the worst case."""
    points = np.abs(np.random.default_rng(0).normal(size=(1000, 3)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    start = time.process_time()
    volume = hypervolume(points)
    assert time.process_time() - start < 1.0
    assert volume == pytest.approx(np.pi / 6, rel=0.1)  # an eighth of a ball
    assert volume < np.pi / 6


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_boxes_fill_what_is_free(objectives):
    random = np.random.default_rng(objectives)
    front = random.random((6, objectives))
    lower, upper = free_boxes(front)
    assert np.prod(np.minimum(upper, 1.0) - np.minimum(lower, 1.0), axis=1).sum() == pytest.approx(
        1 - hypervolume(front)
    )
    for point in random.random((300, objectives)):
        dominated = (front >= point).all(axis=1).any()
        assert ((lower <= point) & (point < upper)).all(axis=1).sum() == (0 if dominated else 1)


def test_growth_is_the_volume_of_each_beginning():
    points = np.random.default_rng(3).normal(0.3, 0.5, size=(40, 3))
    assert growth(points.tolist()) == pytest.approx(
        [hypervolume(points[: n + 1]) for n in range(len(points))]
    )


def study(*rows, **more):
    """A float baseline of 90 %, 400 kB and 1 ms, then these (accuracy, size, seconds)."""
    floats = fakes.trial("float32", 0.90, 400e3, 1e-3, baseline=True)
    return [
        floats,
        *(fakes.trial(f"t{n}", *row, position=n, **more) for n, row in enumerate(rows, 1)),
    ]


def test_gains_are_halvings_and_tenths_over_the_float_model():
    trials = study((0.85, 100e3, 0.5e-3))
    by = scales(trials, fakes.OBJECTIVES)
    assert [s.reference for s in by] == pytest.approx([0.80, 400e3, 1e-3])
    found = course(trials, fakes.OBJECTIVES)
    assert found.volume == pytest.approx(
        0.5 * 2 * 1
    )  # half of ten points, two halvings, one halving
    assert [p.share for p in found.points] == [0.0, 1.0]


def test_the_reference_is_the_worst_of_several_float_models():
    trials = [
        *study(),
        fakes.trial("float32", 0.92, 500e3, 0.8e-3, position=1, baseline=True, runtime="litert"),
    ]
    assert [s.reference for s in scales(trials, fakes.OBJECTIVES)] == pytest.approx(
        [0.82, 500e3, 1e-3]
    )


def test_there_is_no_course_before_the_float_model():
    assert course(study()[1:], fakes.OBJECTIVES) is None
    assert course([], fakes.OBJECTIVES) is None


def test_what_breaks_a_limit_adds_nothing():
    trials = study((0.85, 100e3, 0.5e-3), (0.89, 200e3, 0.5e-3))
    limits = [Limit("top1_accuracy", "max_drop", 0.02)]
    assert course(trials, fakes.OBJECTIVES, limits).volume == pytest.approx(0.9)
    assert course(trials, fakes.OBJECTIVES).volume > 1.0


def test_failed_trials_are_counted_and_add_nothing():
    found = course([*study((0.85, 100e3, 0.5e-3)), fakes.broken(2)], fakes.OBJECTIVES)
    assert [p.tried for p in found.points] == [1, 2, 3]
    assert [p.share for p in found.points] == [0.0, 1.0, 1.0]


def test_what_the_store_knew_comes_first_and_costs_nothing():
    from dataclasses import replace

    trials = study((0.85, 100e3, 0.5e-3), (0.88, 100e3, 0.5e-3))
    trials[2] = replace(trials[2], cached=True)
    found = course(trials, fakes.OBJECTIVES)
    assert [(p.trial, p.tried) for p in found.points] == [
        (trials[2].id, 0),
        (trials[0].id, 1),
        (trials[1].id, 2),
    ]
    assert found.known == 1


def test_the_clock_counts_work_only():
    clock = Clock(
        [{"started_at": s, "finished_at": f} for s, f in ((0, 10), (5, 12), (100, 110), (101, 105))]
    )
    assert clock.until(7) == 7
    assert clock.until(50) == 12
    assert clock.until(105) == 17
    assert clock.until(float("inf")) == 22
