"""Fronts of several studies, against the definition; the same trials in two."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lab.analysis.across import Member, across, discrepancies, twin_changes, twins
from lab.types import StudySpec
from tests import fakes


def member(
    id_: str,
    seed: int,
    *,
    environment: str = "env-1",
    data: str = "digits",
    items=None,
    count: int = 30,
    **spec,
) -> Member:
    made = [replace(t, environment=environment) for t in fakes.trials(count, seed, study=id_)]
    return Member(
        fakes.study(id_, spec=StudySpec("digits_lenet", **spec)),
        tuple(made),
        "classification",
        data,
        items,
    )


def beaten(a, others) -> bool:
    """Whether some other trial is at least as good in everything and better in something."""

    def costs(t):
        return (
            -t.measurements["top1_accuracy"].value,
            t.measurements["size_bytes"].value,
            t.measurements["latency_s"].value,
        )

    return any(
        all(x <= y for x, y in zip(costs(b), costs(a), strict=True)) and costs(b) != costs(a)
        for b in others
    )


def test_numbers_that_are_alike_share_one_front_by_definition():
    members = [member("a", 1), member("b", 2)]
    found = across(members)
    (group,) = found.groups
    complete = [t for m in members for t in m.trials if t.state == "complete"]
    assert set(group.front) == {t.id for t in complete if not beaten(t, complete)}
    assert {t.study for t in complete if t.id in group.front} == {
        "a",
        "b",
    }  # or one front would prove little
    assert found.apart == ()
    assert found.incomplete == sum(t.state != "complete" for m in members for t in m.trials)


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        ({"environment": "env-2"}, ("environment",)),
        ({"data": "signs"}, ("data",)),
        ({"items": 100}, ("items",)),
        ({"objectives": fakes.OBJECTIVES[:2]}, ("objectives", "sources")),
    ],
)
def test_numbers_that_are_not_alike_never_share_a_front(other, apart):
    members = [member("a", 1), member("b", 2, **other)]
    found = across(members)
    assert found.apart == apart
    assert len(found.groups) == 2
    for group in found.groups:
        assert len({t.study for t in group.trials}) == 1
        alone = across([m for m in members if m.study.id == group.trials[0].study])
        assert group.front == alone.groups[0].front


def test_an_estimated_latency_is_kept_apart_from_measured_ones():
    made = member("a", 1)
    guessed = [
        (
            replace(
                t,
                measurements={
                    **t.measurements,
                    "latency_s": replace(t.measurements["latency_s"], source="estimated"),
                },
            )
            if t.position % 3 == 0 and t.measurements
            else t
        )
        for t in made.trials
    ]
    found = across([replace(made, trials=tuple(guessed))])
    assert found.apart == ("sources",)
    assert [g.terms.sources[2] for g in found.groups] == ["measured", "estimated"]


def test_what_does_not_meet_the_limits_is_on_no_front_and_hides_nothing():
    made = [member("a", 1), member("b", 2)]

    def small(t):
        return t.measurements["size_bytes"].value < 200e3

    (group,) = across(made, small).groups
    allowed = [t for m in made for t in m.trials if t.state == "complete" and small(t)]
    assert set(group.front) == {t.id for t in allowed if not beaten(t, allowed)}
    assert len(group.trials) > len(allowed)


def key(t):
    return (t.name, t.target.runtime, t.position if t.is_baseline else 0)


def test_trials_are_matched_by_what_they_are():
    a, b = fakes.trials(20, 1, study="a"), fakes.trials(24, 2, study="b")[3:]
    found = twins(a, b, key)
    mine, theirs = ({key(t) for t in trials if t.state == "complete"} for trials in (a, b))
    assert {key(p.first) for p in found.pairs} == mine & theirs
    assert all(
        key(p.first) == key(p.second) and (p.first.study, p.second.study) == ("a", "b")
        for p in found.pairs
    )
    assert {key(t) for t in found.only_first} == mine - theirs
    assert {key(t) for t in found.only_second} == theirs - mine
    assert found.only_first
    assert found.only_second


def test_the_biggest_change_comes_first_and_overlapping_intervals_may_be_chance():
    first = [
        fakes.trial(f"r{i}", 0.9, 1e5, 5e-4, position=i, spread=(0.01, 1e-5)) for i in range(3)
    ]
    second = [
        replace(
            fakes.trial(
                f"r{i}",
                0.9 + 0.001 * i,
                1e5 * (1 + i),
                seconds,
                position=i,
                spread=(0.01, 1e-5),
                environment="env-2",
            ),
            id=f"x{i}",
        )
        for i, seconds in enumerate((5.05e-4, 1e-3, 1e-4))
    ]
    pairs = twins(first, second, lambda t: t.name).pairs
    changes = twin_changes(pairs, "latency_s", same_items=True)
    assert [c.twin.first.name for c in changes] == ["r2", "r1", "r0"]
    assert [c.ratio for c in changes] == pytest.approx([0.2, 2.0, 1.01])
    assert [c.extent for c in changes] == pytest.approx([math.log(5), math.log(2), math.log(1.01)])
    assert [c.differs for c in changes] == [True, True, False]
    accuracy = twin_changes(pairs, "top1_accuracy", same_items=True)
    assert accuracy[0].ratio is None
    assert accuracy[0].change == pytest.approx(0.002)
    assert not any(c.differs for c in accuracy)
    assert [c.differs for c in twin_changes(pairs, "size_bytes", same_items=True)] == [
        True,
        True,
        False,
    ]


def test_answers_to_other_items_are_not_paired(tmp_path):
    first, second = fakes.with_evidence(
        [
            fakes.trial("x", 0.96, 1e5, 5e-4, spread=(0.2, 1e-5)),
            fakes.trial("x", 0.6, 1e5, 5e-4, position=1, spread=(0.2, 1e-5)),
        ],
        tmp_path,
    )
    (pair,) = twins([first], [second], lambda t: t.name).pairs
    assert twin_changes([pair], "top1_accuracy", same_items=True)[0].differs
    assert not twin_changes([pair], "top1_accuracy", same_items=False)[0].differs


def test_facts_that_differ_are_listed_one_level_deep():
    a = {"cpu": "x", "cores": 2, "versions": {"onnx": "1", "torch": "2"}}
    b = {"cpu": "y", "cores": 2, "versions": {"onnx": "1", "torch": "3", "nncf": "4"}}
    assert [(d.about, *d.values) for d in discrepancies(a, b)] == [
        ("cpu", "x", "y"),
        ("versions · torch", "2", "3"),
        ("versions · nncf", None, "4"),
    ]
    assert [d.about for d in discrepancies(a, a, {**a, "cores": 4})] == ["cores"]
    assert discrepancies(a, a) == ()


def test_a_study_and_its_copy_share_every_place_on_the_front():
    made = member("a", 1, count=1500)
    copy = replace(
        made,
        study=fakes.study("b"),
        trials=tuple(replace(t, id=f"b{t.id}", study="b") for t in made.trials),
    )
    (alone,), (both,) = across([made]).groups, across([made, copy]).groups
    assert set(both.front) == {*alone.front, *(f"b{id_}" for id_ in alone.front)}
