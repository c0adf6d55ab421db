"""The front against the definition, point by point."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lab.analysis import front as front_module
from lab.analysis.front import (
    baseline_of,
    comparable,
    front,
    nearest_baseline,
    non_dominated,
    overlap,
)
from lab.types import Objective
from tests import fakes

DIRECTIONS = st.lists(st.sampled_from(["minimize", "maximize"]), min_size=1, max_size=4)


def oracle(points, directions):
    signs = np.array([1 if d == "minimize" else -1 for d in directions])
    costs = points * signs
    return [
        not np.isnan(a).any()
        and not any((b <= a).all() and (b < a).any() for b in costs if not np.isnan(b).any())
        for a in costs
    ]


@settings(deadline=None)
@given(
    DIRECTIONS.flatmap(
        lambda d: st.tuples(st.just(d), st.integers(0, 40)).flatmap(
            lambda pair: st.tuples(
                st.just(pair[0]),
                arrays(
                    float,
                    (pair[1], len(pair[0])),
                    elements=st.sampled_from(
                        [0.0, -0.0, 1.0, 2.0, 3.0, 0.5, float("inf"), float("nan")]
                    ),
                ),
            )
        )
    )
)
def test_agrees_with_the_definition(case):
    directions, points = case
    assert non_dominated(points, directions).tolist() == oracle(points, directions)


def test_agrees_with_the_definition_across_blocks():
    points = np.random.default_rng(1).integers(0, 12, (700, 3)).astype(float)
    assert non_dominated(points, ["minimize", "maximize", "minimize"]).tolist() == oracle(
        points, ["minimize", "maximize", "minimize"]
    )


def test_copies_of_a_non_dominated_point_all_stay():
    assert non_dominated(np.array([[1, 1], [1, 1], [2, 2]]), ["minimize", "minimize"]).tolist() == [
        True,
        True,
        False,
    ]


def test_no_points():
    assert non_dominated(np.empty((0, 2)), ["minimize", "minimize"]).tolist() == []


def test_unknown_direction_is_refused():
    with pytest.raises(KeyError):
        non_dominated(np.ones((1, 1)), ["down"])


def test_five_thousand_points_on_the_front_take_well_under_a_second():
    points = np.random.default_rng(0).random((5000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    start = time.process_time()
    assert non_dominated(points, ["minimize"] * 3).all()
    assert time.process_time() - start < 1.0


def test_front_of_trials():
    a = fakes.trial("a", 0.96, 300e3, 5e-4, position=0)
    b = fakes.trial("b", 0.95, 100e3, 6e-4, position=1)
    worse = fakes.trial("c", 0.94, 310e3, 7e-4, position=2)
    assert front([a, b, worse], fakes.OBJECTIVES) == (a.id, b.id)


def test_unfinished_failed_and_half_measured_trials_are_not_compared():
    good = fakes.trial("a", 0.9, 300e3, 5e-4)
    running = replace(fakes.trial("b", 0.99, 1e3, 1e-5, position=1), state="running")
    half = replace(fakes.trial("c", 0.99, 1e3, 1e-5, position=2), measurements={})
    assert comparable([good, running, half, fakes.broken(3)], fakes.OBJECTIVES) == (good,)


def test_environments_never_mix_and_the_larger_group_counts():
    here = [fakes.trial(f"h{i}", 0.9 + i / 100, 1e5, 1e-3, position=i) for i in range(3)]
    elsewhere = fakes.trial("e", 0.99, 1e3, 1e-6, position=3, environment="env-2")
    assert comparable([*here, elsewhere], fakes.OBJECTIVES) == tuple(here)


def test_of_equal_groups_the_later_counts():
    first, second = (
        fakes.trial("a", 0.9, 1e5, 1e-3),
        fakes.trial("b", 0.9, 1e5, 1e-3, position=1, environment="env-2"),
    )
    assert comparable([first, second], fakes.OBJECTIVES) == (second,)


def test_estimated_and_measured_latency_never_mix():
    measured = [fakes.trial(f"m{i}", 0.9, 1e5, 1e-3, position=i) for i in range(2)]
    guess = fakes.trial("g", 0.9, 1e5, 1e-6, position=2)
    latency = replace(guess.measurements["latency_s"], source="estimated")
    guess = replace(guess, measurements={**guess.measurements, "latency_s": latency})
    assert guess.id not in front([*measured, guess], fakes.OBJECTIVES)
    only_size = (Objective("top1_accuracy", "maximize"), Objective("size_bytes", "minimize"))
    assert guess.id in front([*measured, guess], only_size), (
        "where latency does not count, nothing speaks against it"
    )


def test_the_nearest_baseline_is_found():
    ort, litert, *_ = made = fakes.trials()
    on_litert = next(t for t in made[2:] if t.target.runtime == "litert")
    assert nearest_baseline(on_litert, made) == litert
    assert nearest_baseline(fakes.trial("x", 0.9, 1e5, 1e-3, runtime="other"), made) == ort
    assert nearest_baseline(made[3], []) is None


def test_a_difference_is_claimed_against_the_same_target_and_environment_only():
    _, litert, *_ = made = fakes.trials()
    on_litert = next(t for t in made[2:] if t.target.runtime == "litert")
    assert baseline_of(on_litert, made) == litert
    assert baseline_of(replace(on_litert, environment="another"), made) is None
    assert baseline_of(fakes.trial("x", 0.9, 1e5, 1e-3, runtime="other"), made) is None
    assert baseline_of(litert, [replace(litert, state="failed")]) is None


def test_intervals_that_touch_overlap():
    assert overlap(
        fakes.measured("latency_s", 1.0, 0.1), fakes.measured("latency_s", 1.2, 0.1 + 1e-12)
    )
    assert not overlap(fakes.measured("size_bytes", 1.0), fakes.measured("size_bytes", 2.0))


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60
    )
)
def test_few_points_take_the_same_way_out(points):
    directions = ("maximize", "minimize", "minimize")
    assert (
        front_module._few(points, directions)
        == non_dominated(np.array(points, dtype=float), directions).tolist()
    )
