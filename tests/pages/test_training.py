"""Curves of trainings on the Results page: while it runs, on a trial, and beside each other."""

from __future__ import annotations

from dataclasses import replace

import lab
from lab.analysis.training import Phase, Training
from tests import fakes
from tests.pages.test_study import text_of
from tests.unit.analysis.test_training import POINTS, curve


def trained(study: str, count: int = 2) -> list:
    made = fakes.trials(8, study=study)
    more = {"notes": {"training": "50 steps of 128 items in 10 s"}}
    return [
        (
            replace(
                t,
                details=t.details.with_json(
                    {**more, "training": [curve(f"k{t.position % count}")]}
                ),
            )
            if t.position > 1
            else t
        )
        for t in made
    ]


def test_what_trains_now_is_shown_with_how_far_it_is(open_page, add_study, monkeypatch):
    found = (
        Training("a", "sparse80+finetune200", (Phase("train", 200, POINTS),), "running"),
        Training("b", "sparse90+finetune200", state="waiting", steps=200),
    )
    monkeypatch.setattr(lab, "training_curves", lambda id_: found, raising=False)
    app = open_page("study", study=add_study(state="running"))
    assert not app.exception
    assert "0 of 2 trainings done, 1 running, 1 waiting" in text_of(app)
    bars = [p.proto.text if hasattr(p, "proto") else str(p) for p in app.get("progress")]
    assert any(
        "sparse80" in text and "step 50 of 200, about 30 seconds left" in text for text in bars
    )


def test_nothing_is_said_of_training_where_nothing_trains(open_page, add_study):
    app = open_page("study", study=add_study(state="running"))
    assert not app.exception
    assert "**Training**" not in text_of(app)
    assert "Training" not in [t.label for t in app.tabs]


def test_a_trained_trial_has_its_curves_and_its_note(open_page, add_study):
    id_ = add_study(trained("study-1"))
    trial = next(t for t in lab.trials(id_) if t.position == 3)
    app = open_page("study", study=id_, trial=trial.id, detail="Training")
    assert not app.exception
    text = text_of(app)
    assert "50 steps of 128 items in 10 s" in text
    assert any("Held-out accuracy" in frame.value.columns for frame in app.dataframe)


def test_an_untrained_trial_of_such_a_study_says_so(open_page, add_study):
    id_ = add_study(trained("study-1"))
    base = next(t for t in lab.trials(id_) if t.is_baseline)
    app = open_page("study", study=id_, trial=base.id, detail="Training")
    assert not app.exception
    assert "This recipe has no training step" in text_of(app)


def test_all_trainings_are_beside_each_other_afterwards(open_page, add_study):
    app = open_page("study", study=add_study(trained("study-1", count=3)))
    assert not app.exception
    assert any("Training curves (3)" in e.label for e in app.expander)
