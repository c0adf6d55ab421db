"""The Across studies page: one front or several, limits, the same trials in two studies, names with
tricks.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

import lab
from lab.store import records
from lab.types import StudySpec
from tests import fakes
from tests.pages.conftest import in_address
from tests.pages.test_study import text_of

EVIL = "<script>alert(1)</script> **bold** [x](http://x)"


@pytest.fixture
def add():
    """Puts a study into the store, on a machine of its own."""

    def add_(
        id_: str, seed: int, model: str = "digits_lenet", cpu: str = "one", **more: object
    ) -> str:
        environment = records.keep_environment(
            {"cpu": cpu, "cores": 2, "machine": cpu, "versions": {"onnx": "1", "torch": cpu}}
        )
        trials = [
            replace(t, id=f"{id_}-{t.position:04d}", study=id_, environment=environment)
            for t in fakes.trials(24, seed, id_)
        ]
        records.add_study(
            fakes.study(id_, model=model, spec=StudySpec(model), **more), lab.model(model), trials
        )
        return id_

    return add_


def test_an_empty_lab_says_what_it_is_for(open_page):
    app = open_page("across")
    assert not app.exception
    assert "Compare several studies: models of one task" in text_of(app)


def test_models_of_one_task_share_a_front(open_page, add):
    add("a", 1, "signs_resnet8")
    add("b", 2, "signs_mobilenetv2")
    app = open_page("across", studies="a,b")
    assert not app.exception
    assert "One joint front" in text_of(app)
    frame = app.dataframe[0].value
    (group,) = lab.across(["a", "b"]).groups
    assert len(frame) == len(group.front)
    assert len(set(frame["Study"])) == 2


def test_at_first_the_newest_of_each_model_of_the_same_data_is_chosen(open_page, add):
    add("a", 1, "signs_resnet8", created_at="2026-01-01T00:00:00+00:00")
    add("b", 2, "signs_resnet8", created_at="2026-02-01T00:00:00+00:00")
    add("c", 3, "digits_lenet", created_at="2026-01-15T00:00:00+00:00")
    add("d", 4, "signs_mobilenetv2", created_at="2026-03-01T00:00:00+00:00")
    app = open_page("across")
    assert app.multiselect(key="across_studies").value == ["d", "b"]


def test_other_machines_have_a_front_of_their_own_and_it_is_said_why(open_page, add):
    add("a", 1)
    add("b", 1, cpu="two")
    app = open_page("across", studies="a,b", color="machine")
    assert not app.exception
    assert "2 separate fronts, because trials differ in the machine" in text_of(app)
    assert set(app.dataframe[0].value["Front of"]) == {"one, 2 cores", "two, 2 cores"}
    facts = next(d.value for d in app.dataframe if "Property" in d.value.columns).set_index(
        "Property"
    )
    assert tuple(facts.loc["Version of torch", ["one, 2 cores", "two, 2 cores"]]) == ("one", "two")
    assert "Cores" not in facts.index


def test_choosing_studies_changes_the_address(open_page, add):
    add("a", 1)
    add("b", 2)
    app = open_page("across", studies="a")
    app.multiselect(key="across_studies").select("b").run()
    assert not app.exception
    assert in_address(app, "studies") == "a,b"
    app.multiselect(key="across_studies").set_value([]).run()
    assert app.multiselect(key="across_studies").value == []
    assert "Compare several studies: models of one task" in text_of(app)


def test_a_limit_narrows_the_front(open_page, add):
    add("a", 1)
    add("b", 2)
    app = open_page("across", studies="a,b", size_bytes_at_most="150000.0")
    assert not app.exception
    (group,) = lab.across(
        ["a", "b"], lambda t: t.measurements["size_bytes"].value <= allowed(app)
    ).groups
    assert (
        len(app.dataframe[0].value)
        == len(group.front)
        < len(lab.across(["a", "b"]).groups[0].front)
    )


def allowed(app) -> float:
    return next(s for s in app.select_slider if s.label == "Maximum size").value


def test_one_study_on_two_machines_is_matched_trial_by_trial(open_page, add):
    add("a", 1, title="old")
    add("b", 1, cpu="two", title="new")
    app = open_page("across", studies="a,b", number="size_bytes")
    assert not app.exception
    assert "trials with the same recipe and target" in text_of(app)
    frame = next(d.value for d in app.dataframe if "Verdict" in d.value.columns)
    assert set(frame["Verdict"]) == {"equal"}  # the same files
    unlike = next(
        d.value for d in app.dataframe if {"Property", "old"} <= set(d.value.columns)
    ).set_index("Property")
    assert list(unlike.columns) == ["old", "new"]
    assert tuple(unlike.loc["Processor"]) == ("one", "two")
    assert tuple(unlike.loc["Version of torch"]) == ("one", "two")
    assert "Version of onnx" not in unlike.index


def test_a_title_that_is_the_name_of_a_column_hides_none(open_page, add):
    add("a", 1, title="Property")
    add("b", 1, cpu="two", title="Trial", created_at="2026-12-01T00:00:00+00:00")
    app = open_page("across", studies="a,b")
    assert not app.exception
    frame = next(d.value for d in app.dataframe if "Verdict" in d.value.columns)
    assert len(frame.columns) == 6


def test_other_models_have_no_trials_in_common(open_page, add):
    add("a", 1, "signs_resnet8")
    add("b", 2, "signs_mobilenetv2")
    app = open_page("across", studies="a,b")
    assert not app.subheader


def test_wrong_addresses_are_said_and_names_stay_text(open_page, add):
    add("a", 1, title=EVIL)
    add("b", 2, title=EVIL, cpu="<script>x</script>")
    app = open_page("across", studies=f"a,{EVIL},b", color="machine")
    assert not app.exception
    assert "Not in this lab" in app.warning[0].value
    shown = [e.value for kind in ("markdown", "caption", "warning", "info") for e in app.get(kind)]
    assert not any("<script>" in text or "**bold**" in text for text in shown)


def test_unfinished_studies_wait(open_page):
    trials = [
        replace(t, id=f"a-{t.position:04d}", study="a", state="queued", measurements={}, error=None)
        for t in fakes.trials(6, 1, "a")
    ]
    records.add_study(fakes.study("a", state="queued"), lab.model("digits_lenet"), trials)
    app = open_page("across", studies="a")
    assert not app.exception
    assert "None of these studies has a finished trial" in app.info[0].value
