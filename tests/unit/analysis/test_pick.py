"""The pick against a search through everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.analysis.front import nearest_baseline
from lab.analysis.pick import TOLERANCE, Limit, pick
from tests import fakes

BASE = fakes.trial("float32", 0.96, 300e3, 5e-4, baseline=True)
LIMITS = st.lists(
    st.one_of(
        st.builds(Limit, st.just("size_bytes"), st.just("at_most"), st.floats(50e3, 350e3)),
        st.builds(Limit, st.just("latency_s"), st.just("at_most"), st.floats(2e-4, 1e-3)),
        st.builds(Limit, st.just("top1_accuracy"), st.just("at_least"), st.floats(0.9, 0.97)),
        st.builds(Limit, st.just("top1_accuracy"), st.just("max_drop"), st.floats(0, 0.05)),
    ),
    max_size=3,
)
TRIALS = st.lists(
    st.builds(
        lambda a, s, t: (a / 1000, s * 1e3, t * 1e-5),
        st.integers(900, 970),
        st.integers(50, 350),
        st.integers(20, 99),
    ),
    max_size=12,
).map(
    lambda rows: [BASE, *(fakes.trial(f"t{i}", *row, position=i) for i, row in enumerate(rows, 1))]
)


def value(trial, metric):
    return trial.measurements[metric].value


def holds(limit, trial):
    own = value(trial, limit.metric)
    if limit.kind == "max_drop":
        return value(BASE, limit.metric) - own <= limit.value + 1e-12
    return own >= limit.value if limit.kind == "at_least" else own <= limit.value + 1e-12


@settings(deadline=None)
@given(TRIALS, LIMITS)
def test_the_pick_is_the_smallest_that_may_be_picked(trials, limits):
    found = pick(trials, fakes.OBJECTIVES, limits)
    feasible = [t for t in trials if all(holds(limit, t) for limit in limits)]
    assert set(found.feasible) == {t.id for t in feasible}
    if not feasible:
        assert found.trial is None
        return
    close = [
        t
        for t in feasible
        if value(BASE, "top1_accuracy") - value(t, "top1_accuracy") <= TOLERANCE + 1e-12
    ]
    best = next(t for t in trials if t.id == found.trial)
    if any(limit.metric == "top1_accuracy" for limit in limits):
        assert value(best, "size_bytes") == min(value(t, "size_bytes") for t in feasible)
    elif close:
        assert value(best, "size_bytes") == min(value(t, "size_bytes") for t in close)
    else:
        assert value(best, "top1_accuracy") == max(value(t, "top1_accuracy") for t in feasible)
    assert found.trial in found.front


@settings(deadline=None)
@given(TRIALS, LIMITS)
def test_each_proposed_relaxation_lets_its_trial_in(trials, limits):
    found = pick(trials, fakes.OBJECTIVES, limits)
    for relaxation in found.relaxations:
        loosened = [
            replace(x, value=relaxation.value) if x is relaxation.limit else x for x in limits
        ]
        assert relaxation.trial in pick(trials, fakes.OBJECTIVES, loosened).feasible


def test_the_goal_decides():
    small, fast = (
        fakes.trial("small", 0.96, 90e3, 9e-4, position=1),
        fakes.trial("fast", 0.96, 200e3, 2e-4, position=2),
    )
    everything = [BASE, small, fast]
    assert pick(everything, fakes.OBJECTIVES).trial == small.id
    assert pick(everything, fakes.OBJECTIVES, goal=fakes.objective("latency_s")).trial == fast.id


def test_overlapping_intervals_are_ties():
    a = fakes.trial("a", 0.96, 100e3, 3.0e-4, position=1, spread=(0.01, 2e-5))
    b = fakes.trial("b", 0.96, 90e3, 3.1e-4, position=2, spread=(0.01, 2e-5))
    found = pick([BASE, a, b], fakes.OBJECTIVES, goal=fakes.objective("latency_s"))
    assert (found.trial, found.ties) == (a.id, (b.id,))


def test_what_was_not_measured_cannot_meet_a_limit():
    numbers = {k: m for k, m in BASE.measurements.items() if k != "peak_rss_bytes"}
    silent = replace(fakes.trial("silent", 0.96, 10e3, 1e-4, position=1), measurements=numbers | {})
    assert (
        silent.id
        not in pick(
            [BASE, silent], fakes.OBJECTIVES, [Limit("peak_rss_bytes", "at_most", 1e12)]
        ).feasible
    )


def test_the_baseline_is_that_of_the_picks_own_runtime():
    trials = fakes.trials(30)
    found = pick(trials, fakes.OBJECTIVES)
    best = next(t for t in trials if t.id == found.trial)
    assert found.baseline == nearest_baseline(best, trials).id


def test_nothing_finished_yet():
    found = pick([], fakes.OBJECTIVES)
    assert (found.trial, found.considered, found.rule) == (None, 0, "none")


@settings(deadline=None)
@given(TRIALS)
def test_the_knee_is_farthest_from_the_plane_through_the_extremes(trials):
    found = pick(trials, fakes.OBJECTIVES, weights={o.metric: 1.0 for o in fakes.OBJECTIVES})
    assert found.rule == "knee"
    front = [t for t in trials if t.id in found.front]
    table = np.array(
        [
            [
                -value(t, "top1_accuracy"),
                np.log(value(t, "size_bytes")),
                np.log(value(t, "latency_s")),
            ]
            for t in front
        ]
    )
    span = table.max(0) - table.min(0)
    unit = (table - table.min(0)) / np.where(span, span, 1)
    distance = (1 - unit.sum(axis=1)) / np.sqrt(
        3
    )  # to the plane x + y + z = 1, on which the extremes lie
    best = next(i for i, t in enumerate(front) if t.id == found.trial)
    assert distance[best] == pytest.approx(distance.max(), abs=1e-9)


def test_weights_decide():
    small, fast = (
        fakes.trial("small", 0.96, 90e3, 9e-4, position=1),
        fakes.trial("fast", 0.96, 200e3, 2e-4, position=2),
    )
    everything = [BASE, small, fast]
    assert (
        pick(everything, fakes.OBJECTIVES, weights={"size_bytes": 3.0, "latency_s": 1.0}).trial
        == small.id
    )
    found = pick(everything, fakes.OBJECTIVES, weights={"size_bytes": 1.0, "latency_s": 3.0})
    assert (found.trial, found.rule) == (fast.id, "weighted")


def test_compromises_that_chance_may_have_parted_are_ties():
    a = fakes.trial("a", 0.96, 100e3, 3.0e-4, position=1, spread=(0.01, 2e-5))
    b = fakes.trial("b", 0.97, 101e3, 3.1e-4, position=2, spread=(0.01, 2e-5))
    c = fakes.trial("c", 0.90, 60e3, 9e-4, position=3, spread=(0.01, 2e-5))
    found = pick(
        [a, b, c],
        fakes.OBJECTIVES,
        weights={"top1_accuracy": 1.0, "size_bytes": 1.0, "latency_s": 1.0},
    )
    assert {found.trial, *found.ties} >= {a.id, b.id}
    assert c.id not in found.ties
