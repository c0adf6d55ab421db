"""Several studies in one figure, in words and as tables."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from lab.analysis.across import across, discrepancies, twin_changes, twins
from lab.plots.across import across_info, across_json, across_spec, across_table
from lab.plots.across_words import Named, distinct_names, front_text, group_texts, machine_names
from lab.plots.matched_trials import discrepancy_rows, twin_rows, twins_spec, twins_text
from tests import fakes
from tests.unit.analysis.test_across import member

EVIL = "<script>alert(1)</script>"
NAMED = Named(
    {"a": "First", "b": EVIL},
    {"a": "LeNet", "b": EVIL},
    {"env-1": "Desk", "env-2": EVIL},
    {"digits": "Digits", "signs": "Signs"},
)


def figure(found, **more):
    info = across_info(found, fakes.METRICS, NAMED, **more)
    spec = across_spec(info)
    go.Figure(spec)
    return info, spec


def points(spec):
    return {
        id_[0]: (x, y, size)
        for t in spec["data"]
        if t.get("customdata")
        for id_, x, y, size in zip(
            t["customdata"], t["x"], t["y"], t["marker"]["size"], strict=True
        )
    }


def test_every_comparable_trial_is_a_point_and_the_front_is_large():
    found = across([member("a", 1), member("b", 2)])
    info, spec = figure(found)
    drawn = points(spec)
    assert set(drawn) == {t.id for t in found.trials}
    assert {id_ for id_, (_, _, size) in drawn.items() if size > 10} == found.front
    one = found.trials[4]
    assert drawn[one.id][:2] == (
        pytest.approx(one.measurements["latency_s"].value / info.x.divisor),
        pytest.approx(100 * one.measurements["top1_accuracy"].value),
    )
    lines = [t for t in spec["data"] if t["mode"] == "lines"]
    assert [t["name"] for t in lines] == ["joint front"]


def test_unlike_environments_have_a_line_each_and_the_text_says_why():
    found = across([member("a", 1), member("b", 2, environment="env-2")])
    info, spec = figure(found)
    lines = [t for t in spec["data"] if t["mode"] == "lines"]
    assert len(lines) == 2
    assert lines[0]["line"]["dash"] != lines[1]["line"]["dash"]
    for group, line in zip(found.groups, info.lines, strict=True):
        own = {
            (t.measurements["latency_s"].value, t.measurements["top1_accuracy"].value)
            for t in group.trials
        }
        assert set(line) <= own
    assert group_texts(found, NAMED, fakes.METRICS) == ["Desk", EVIL]
    assert front_text(found).startswith(
        "2 separate fronts, because trials differ in the machine or its software versions"
    )
    assert front_text(across([member("a", 1)])).startswith("One joint front")


def test_colour_is_by_what_was_chosen_and_shape_by_runtime():
    found = across([member("a", 1), member("b", 2, environment="env-2")])
    for coloring, names in (
        ("study", {"First", EVIL}),
        ("machine", {"Desk", EVIL}),
        ("model", {"LeNet", EVIL}),
    ):
        info, spec = figure(found, coloring=coloring)
        assert {p.color for p in info.points} == names
        shapes = {
            (p.runtime, symbol)
            for t in spec["data"]
            if t.get("customdata")
            for p, symbol in zip(
                [next(q for q in info.points if q.trial == i[0]) for i in t["customdata"]],
                t["marker"]["symbol"],
                strict=True,
            )
        }
        assert len(shapes) == 2


def test_names_with_html_stay_text():
    found = across([member("a", 1), member("b", 2, environment="env-2")])
    assert "<script" not in repr(figure(found)[1])
    a, b = (fakes.trial(EVIL, 0.9, 1e5, 5e-4, study=s) for s in ("a", "b"))
    changes = twin_changes(twins([a], [b], lambda t: t.name).pairs, "latency_s", same_items=True)
    assert "<script" not in repr(twins_spec(changes, fakes.METRICS["latency_s"], EVIL, "b"))


def test_what_breaks_a_limit_is_faint_and_on_no_front():
    members = [member("a", 1), member("b", 2)]
    allowed = {
        t.id
        for m in members
        for t in m.trials
        if t.measurements and t.measurements["size_bytes"].value < 150e3
    }
    info, _ = figure(across(members, lambda t: t.id in allowed), feasible=allowed)
    assert {p.trial for p in info.points if p.excluded} == {p.trial for p in info.points} - allowed
    assert not any(p.on_front and p.excluded for p in info.points)
    assert all(
        any((p.x.value, p.y.value) == corner for p in info.points if not p.excluded)
        for corner in info.lines[0]
    )


def test_the_table_has_the_front_with_its_studies():
    found = across([member("a", 1), member("b", 2, environment="env-2")])
    info = across_table(found, fakes.METRICS, NAMED)
    assert set(info.ids) == found.front
    assert list(info.frame.columns)[:4] == ["Trial", "Runs on", "Study", "Front of"]
    assert set(info.frame["Study"]) == {"First", EVIL}
    assert (
        "Front of" not in across_table(across([member("a", 1)]), fakes.METRICS, NAMED).frame.columns
    )


def test_a_column_of_very_unlike_numbers_keeps_its_small_ones():
    quick = member("a", 1)
    slow = member("b", 2, data="signs")
    slow = replace(
        slow,
        trials=tuple(
            (
                replace(
                    t,
                    measurements={
                        **t.measurements,
                        "latency_s": fakes.measured("latency_s", 0.5, 1e-3),
                    },
                )
                if t.measurements
                else t
            )
            for t in slow.trials
        ),
    )
    usual = across_table(across([quick]), fakes.METRICS, NAMED).formats
    wide = across_table(across([quick, slow]), fakes.METRICS, NAMED).formats
    assert "%.3g" not in usual.values()
    assert [f for name, f in wide.items() if name.startswith("Latency (median)")] == ["%.3g"]


def test_as_json_every_group_says_what_it_rests_on():
    value = across_json(across([member("a", 1), member("b", 2, environment="env-2")]))
    assert value["apart"] == ["environment"]
    assert [g["terms"]["environment"] for g in value["groups"]] == ["env-1", "env-2"]
    assert all(set(g["front"]) <= {t["id"] for t in g["trials"]} for g in value["groups"])


def test_machines_and_studies_of_one_name_are_told_apart():
    facts = {"cpu": "EPYC", "cores": 2, "machine": "one"}
    assert machine_names({"e1": facts}) == {"e1": "EPYC, 2 cores"}
    assert machine_names({"e1": facts, "e2": {**facts, "machine": "two"}}) == {
        "e1": "EPYC, 2 cores (one)",
        "e2": "EPYC, 2 cores (two)",
    }
    assert machine_names({"aaaaaaaa": facts, "bbbbbbbb": facts}) == {
        "aaaaaaaa": "EPYC, 2 cores (aaaaaa)",
        "bbbbbbbb": "EPYC, 2 cores (bbbbbb)",
    }
    assert distinct_names({"s1": "x", "s2": "x", "s3": "y"}) == {
        "s1": "x (s1)",
        "s2": "x (s2)",
        "s3": "y",
    }


def test_the_same_trials_in_words():
    first = [
        fakes.trial(f"r{i}", 0.9, 1e5, 5e-4, position=i, spread=(0.01, 1e-5)) for i in range(3)
    ]
    second = [
        replace(
            fakes.trial(
                f"r{i}",
                0.9,
                1e5,
                5e-4 * (1 + i),
                position=i,
                spread=(0.01, 1e-5),
                environment="env-2",
            ),
            id=f"x{i}",
        )
        for i in range(2)
    ]
    found = twins(first, second, lambda t: t.name)
    changes = twin_changes(found.pairs, "latency_s", same_items=True)
    text = twins_text(found, changes, "latency_s", "old", "new")
    assert (
        text == "2 trials with the same recipe and target; 1 only in old, 0 only in new. Latency"
        " differs by more than chance in 1 of 2. Biggest change: r1, 2.00× slower."
    )
    rows = twin_rows(changes, "old", "new")
    assert rows[0] == {
        "Trial": "r1",
        "Runs on": "ONNX Runtime",
        "old": "0.50 ms (0.49–0.51 ms)",
        "new": "1.00 ms (0.99–1.01 ms)",
        "Change": "2.00× slower",
        "Verdict": "differs",
    }
    assert rows[1]["Verdict"] == "equal"
    spec = twins_spec(changes, fakes.METRICS["latency_s"], "old", "new")
    go.Figure(spec)
    (trace,) = spec["data"][1:]
    assert [y / x for x, y in zip(trace["x"], trace["y"], strict=True)] == pytest.approx([2.0, 1.0])


def test_machines_that_differ_in_words():
    rows = discrepancy_rows(
        discrepancies(
            {"memory_bytes": 8e9, "versions": {"onnx": "1"}}, {"memory_bytes": 16e9, "versions": {}}
        ),
        ["a", "b"],
    )
    assert rows == [
        {"Property": "Memory", "a": "8.00 GB", "b": "16.0 GB"},
        {"Property": "Version of onnx", "a": "1", "b": "–"},
    ]
