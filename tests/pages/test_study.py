"""The Results page, at rest, while running, with limits, with failures and with wrong addresses."""

from __future__ import annotations

import time
from dataclasses import replace

import lab
from lab.home import folder
from lab.store import records
from tests import fakes
from tests.pages.conftest import in_address


def text_of(app) -> str:
    kinds = ("title", "markdown", "caption", "success", "warning", "info", "error", "metric")
    return "\n".join(
        str(e.value) + getattr(e, "label", "") for kind in kinds for e in app.get(kind)
    )


def test_an_empty_lab_says_what_to_try(open_page):
    app = open_page("study")
    assert not app.exception
    assert "No study yet" in text_of(app)


def test_the_newest_study_opens_with_its_pick_named(open_page, add_study):
    id_ = add_study()
    app = open_page("study")
    assert not app.exception
    assert "LeNet, handwritten digits" in app.title[0].value
    assert app.success[0].value.startswith("**Best pick: static\\_wi8\\_ai8\\_")
    assert in_address(app, "study") == id_


def test_an_unknown_study_is_explained_and_others_are_offered(open_page, add_study):
    id_ = add_study()
    app = open_page("study", study="gone")
    assert not app.exception
    assert "There is no study **gone** in this lab" in app.error[0].value
    app.selectbox(key="instead").select(id_).run()
    assert not app.error
    assert in_address(app, "study") == id_


def test_a_link_shows_the_trial_and_the_limits_it_was_made_with(open_page, add_study):
    id_ = add_study()
    trial = next(t for t in lab.trials(id_) if t.position == 7)
    app = open_page(
        "study", study=id_, trial=trial.id, size_bytes_at_most="150000.0", goal="latency_s"
    )
    assert not app.exception
    assert "##### static\\_wi8\\_ai8\\_7" in text_of(app)
    assert app.button_group(key="choice_goal").value == "latency_s"
    assert "Fastest" in app.success[0].value
    assert "meets all limits" in app.success[0].value


def test_limits_nobody_meets_say_what_to_loosen(open_page, add_study):
    id_ = add_study()
    app = open_page(
        "study",
        study=id_,
        size_bytes_at_most="1.0",
        top1_accuracy_at_least="2.0",
        latency_s_at_most="0.0",
    )
    assert not app.exception
    assert "No trial meets all limits" in app.warning[0].value


def test_a_limit_goes_into_the_address_and_out_again(open_page, add_study):
    app = open_page("study", study=add_study())
    slider = next(s for s in app.select_slider if s.label == "Maximum size")
    slider.set_value(slider.options and [float(v) for v in slider_values(app)][3]).run()
    assert not app.exception
    assert "size_bytes_at_most" in app.query_params
    assert "meets all limits" in app.success[0].value


def slider_values(app) -> list[float]:
    trials = lab.trials(in_address(app, "study"))
    return sorted({t.measurements["size_bytes"].value for t in trials if t.state == "complete"})


def test_a_failed_trial_shows_its_cause_and_what_to_do(open_page, add_study):
    id_ = add_study()
    failed = next(t for t in lab.trials(id_) if t.state == "failed")
    app = open_page("study", study=id_, trial=failed.id)
    assert not app.exception
    assert "The runtime refused the file" in app.error[0].value
    assert "**Remedy:** Try per-channel weights" in text_of(app)
    assert any(b.label == "Run again" for b in app.button)


def test_a_running_study_shows_how_far_it_is_and_can_be_cancelled(open_page, add_study):
    trials = [
        replace(t, state="running", measurements={}) if t.position > 9 else t
        for t in fakes.trials()
    ]
    id_ = add_study(trials, state="running")
    app = open_page("study", study=id_)
    assert not app.exception
    assert any(b.label == "Cancel" for b in app.button)
    next(b for b in app.button if b.label == "Cancel").click().run()
    assert records.study_row(id_).cancel_requested


def test_a_study_without_results_yet_waits(open_page, add_study):
    trials = [replace(t, state="queued", measurements={}, error=None) for t in fakes.trials()]
    app = open_page("study", study=add_study(trials, state="queued"))
    assert not app.exception
    assert "The first results appear here automatically" in app.info[0].value
    assert len(app.dataframe[0].value) == len(trials)


def test_a_study_where_everything_failed_says_so(open_page, add_study):
    app = open_page("study", study=add_study([fakes.broken(0), fakes.broken(1)]))
    assert not app.exception
    assert "No trial finished" in app.warning[0].value


def test_a_study_whose_model_is_gone_still_opens(open_page):
    made = fakes.study(model="gone_model")
    records.add_study(made, lab.model("digits_lenet"), fakes.trials())
    app = open_page("study")
    assert not app.exception
    assert app.title[0].value == "gone\\_model"


def test_every_section_of_a_trial_opens(open_page, add_study):
    id_ = add_study()
    for section in (
        "Why",
        "Numbers",
        "Compare",
        "Timing",
        "Operators",
        "Size",
        "Scaling",
        "Layers",
        "Recipe",
        "Machine",
    ):
        app = open_page("study", study=id_, detail=section)
        assert not app.exception, section


def test_rows_can_be_narrowed_to_the_front(open_page, add_study):
    app = open_page("study", study=add_study(), rows="On the front")
    assert not app.exception
    assert set(app.dataframe[-1].value["Front"]) == {"★"}


def test_a_thousand_trials_cost_little_at_each_rerun(open_page, add_study):
    id_ = add_study(fakes.trials(1000))
    app = open_page("study", study=id_)
    assert not app.exception
    start = time.process_time()
    app.run()
    assert time.process_time() - start < 0.15


def test_the_reasons_behind_a_trial_are_told(open_page, add_study):
    id_ = add_study(fakes.with_evidence(fakes.trials(), folder("artifacts")))
    trial = next(t for t in lab.trials(id_) if t.details.profile and not t.is_baseline)
    app = open_page("study", study=id_, trial=trial.id, detail="Why")
    assert not app.exception
    findings = lab.explain(trial.id, lab.trials(id_))
    assert findings
    assert all(lab.available_rules()[f.rule].title in text_of(app) for f in findings[:1])


def test_a_trial_is_set_beside_another_one(open_page, add_study):
    id_ = add_study(fakes.with_evidence(fakes.trials(), folder("artifacts")))
    trial = next(t for t in lab.trials(id_) if t.details.correct and not t.is_baseline)
    app = open_page("study", study=id_, trial=trial.id, detail="Compare")
    assert not app.exception
    rows = next(d.value for d in app.dataframe if "Verdict" in d.value.columns).set_index("Metric")
    assert rows.loc["Top-1 accuracy", "Method"] == "item by item (McNemar)"
    assert rows.loc["Latency (median)", "Method"] == "round by round (Wilcoxon)"
    assert set(rows["Verdict"]) <= {"equal", "differs", "may be chance"}
    assert "Exactly one of both trials is right on" in text_of(app)
    assert "detected in four of five cases" in text_of(app)


def test_operators_and_size_of_a_trial_are_shown(open_page, add_study):
    id_ = add_study(fakes.with_evidence(fakes.trials(), folder("artifacts")))
    trial = next(t for t in lab.trials(id_) if t.details.profile and not t.is_baseline)
    app = open_page("study", study=id_, trial=trial.id, detail="Operators")
    assert not app.exception
    assert any("Operator" in d.value.columns for d in app.dataframe)
    app = open_page("study", study=id_, trial=trial.id, detail="Size")
    assert not app.exception
    assert "Peak memory" in text_of(app)


def test_a_trial_without_evidence_says_so(open_page, add_study):
    id_ = add_study()
    for section, words in {"Operators": "has no profile", "Size": "not analysed"}.items():
        app = open_page("study", study=id_, detail=section)
        assert not app.exception
        assert words in text_of(app)
