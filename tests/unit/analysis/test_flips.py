"""Flipped items, classes and confusions, against counting one by one."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import false_discovery_control

from lab.analysis.flips import (
    alarm_flips,
    class_changes,
    class_flips,
    confidences,
    confusion,
    confusion_change,
    known_flips,
)

N, CLASSES = 400, 5


@pytest.fixture
def made():
    """Labels and the logits of two models that are often right, and often together."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, CLASSES, N)
    common = rng.normal(0, 1.2, (N, CLASSES)) + 1.6 * np.eye(CLASSES)[labels]
    return labels, common, common + rng.normal(0, 0.9, (N, CLASSES))


def test_flips_are_those_that_counting_item_by_item_finds(made):
    labels, before, after = made
    found = class_flips(labels, before, after)
    expected = {"fixed": set(), "broken": set(), "changed": set()}
    both_right = both_wrong = 0
    for i in range(N):
        a, b = int(before[i].argmax()), int(after[i].argmax())
        if a == b:
            both_right, both_wrong = both_right + (a == labels[i]), both_wrong + (a != labels[i])
        elif b == labels[i]:
            expected["fixed"].add(i)
        elif a == labels[i]:
            expected["broken"].add(i)
        else:
            expected["changed"].add(i)
    assert all(len(items) > 3 for items in expected.values())  # or the test could not fail
    assert {kind: {f.item for f in found.of(kind)} for kind in expected} == expected
    assert (found.n, found.both_right, found.both_wrong) == (N, both_right, both_wrong)
    assert len(found.flips) + both_right + both_wrong == N


def test_each_flip_carries_both_answers_their_softmax_and_the_gap(made):
    labels, before, after = made
    p, q = softmax(before, axis=1), softmax(after, axis=1)
    found = class_flips(labels, before, after)
    assert found.value == "softmax"
    for f in found.flips:
        assert (f.truth, f.before, f.after) == (
            labels[f.item],
            p[f.item].argmax(),
            q[f.item].argmax(),
        )
        assert (f.before_value, f.after_value) == (
            pytest.approx(p[f.item].max()),
            pytest.approx(q[f.item].max()),
        )
        own = p[f.item, f.before] - p[f.item, f.after]
        other = q[f.item, f.after] - q[f.item, f.before]
        assert f.gap == pytest.approx((own + other) / 2)
        assert 0 < f.gap <= 1
    assert [f.gap for f in found.flips] == sorted((f.gap for f in found.flips), reverse=True)


def test_certain_models_are_a_gap_of_one_apart_and_wavering_ones_none():
    sure = class_flips(np.array([0]), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    wavering = class_flips(np.array([0]), np.array([[0.501, 0.499]]), np.array([[0.499, 0.501]]))
    assert sure.flips[0].gap == 1
    assert wavering.flips[0].gap == pytest.approx(0.002)
    assert sure.value == "probability"


@pytest.mark.parametrize(
    ("outputs", "value"),
    [
        ([[0.2, 0.8], [0.5, 0.5]], "probability"),
        ([[0.2, 0.81], [0.52, 0.5]], "probability"),  # an 8-bit softmax
        ([[0.9, 0.8], [0.5, 0.1]], "score"),  # a sigmoid a class
        ([[3.0, -1.0], [0.5, 0.5]], "softmax"),
        ([[3.0, 1.0], [12.5, 0.5]], "softmax"),
    ],
)
def test_what_outputs_are_is_told_from_their_rows(outputs, value):
    shares, found = confidences(np.array(outputs))
    assert found == value
    if value == "score":
        np.testing.assert_array_equal(shares, outputs)
    else:
        np.testing.assert_allclose(shares.sum(axis=1), 1)
    if value == "softmax":
        np.testing.assert_allclose(shares, softmax(np.array(outputs), axis=1))


def test_alarms_flip_where_a_score_crosses_the_threshold():
    labels = np.array([0, 0, 1, 1, 0, 1])
    before, after = (
        np.array([1.0, 3.0, 1.0, 3.0, 2.0, 2.5]),
        np.array([2.5, 1.0, 2.1, 0.5, 2.0, 4.0]),
    )
    found = alarm_flips(labels, before, after, 2.0)
    assert {f.item: f.kind for f in found.flips} == {
        0: "broken",
        1: "fixed",
        2: "fixed",
        3: "broken",
    }
    assert [f.item for f in found.flips] == [3, 1, 0, 2]  # 2.5, 2.0, 1.5, 1.1 over 2
    assert found.flips[0].gap == pytest.approx(1.25)
    assert (found.both_right, found.both_wrong, found.threshold, found.value) == (
        2,
        0,
        2.0,
        "anomaly",
    )


def test_where_only_right_and_wrong_are_known_the_right_answer_is_the_truth():
    before, after = np.array([True, True, False, False]), np.array([True, False, True, False])
    found = known_flips(before, after, np.array([7, 8, 9, 6]))
    assert [(f.item, f.kind, f.truth, f.before, f.after) for f in found.flips] == [
        (1, "broken", 8, 8, None),
        (2, "fixed", 9, None, 9),
    ]
    assert (found.both_right, found.both_wrong, found.answers_known, found.value) == (
        1,
        1,
        False,
        "none",
    )
    assert known_flips(before, after).flips[0].truth is None


def exact(won: int, lost: int) -> float:
    """Two-sided exact McNemar: how likely a split at least as uneven is among so many fair
    coins.
    """
    n, k = won + lost, min(won, lost)
    return min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)


def test_classes_are_counted_and_tested_one_by_one(made):
    labels, before, after = made
    a, b = before.argmax(axis=1) == labels, after.argmax(axis=1) == labels
    found = class_changes(labels, a, b)
    assert [c.number for c in found] == list(range(CLASSES))
    for c in found:
        items = [i for i in range(N) if labels[i] == c.number]
        assert (c.n, c.before, c.after) == (
            len(items),
            sum(a[i] for i in items),
            sum(b[i] for i in items),
        )
        assert c.won == sum(bool(b[i] and not a[i]) for i in items)
        assert c.lost == sum(bool(a[i] and not b[i]) for i in items)
        assert c.p == pytest.approx(exact(c.won, c.lost))
        assert c.low <= c.change <= c.high
    np.testing.assert_allclose(
        [c.adjusted for c in found], false_discovery_control([c.p for c in found])
    )
    assert any(c.adjusted > c.p for c in found)


def test_a_class_that_is_lost_differs_and_one_that_wavers_does_not():
    labels = np.repeat([0, 1], 40)
    before, after = np.ones(80, bool), np.ones(80, bool)
    after[:20] = False
    after[40:42] = False
    lost, wavering = class_changes(labels, before, after)
    assert (lost.differs, wavering.differs) == (True, False)
    assert lost.change == -0.5


def test_the_confusion_change_is_what_moved(made):
    labels, before, after = made
    a, b = before.argmax(axis=1), after.argmax(axis=1)
    by_hand = np.zeros((CLASSES, CLASSES), int)
    for truth, x, y in zip(labels, a, b, strict=True):
        by_hand[truth, x] -= 1
        by_hand[truth, y] += 1
    change = confusion_change(labels, a, b, CLASSES)
    np.testing.assert_array_equal(change, by_hand)
    assert (change.sum(axis=1) == 0).all()
    assert confusion(labels, a, CLASSES).sum() == N
    assert np.trace(confusion(labels, a, CLASSES)) == (a == labels).sum()
