"""The Pruning page: how to begin, while it runs, what it shows; and the button on a model's
page.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

import lab
from lab.errors import UsageError
from lab.types import StudySpec, Target
from tests.pages.conftest import in_address
from tests.pages.test_study import text_of
from tests.unit.analysis.test_pruning import ABOUT, TRIALS

SPEC = StudySpec(
    "digits_lenet", targets=(Target("ort", {"threads": 1}),), about={**ABOUT, "steps": 40}
)


@pytest.fixture
def lesson(add_study):
    """Puts a study about pruning into the store."""

    def add(trials=TRIALS, **more) -> str:
        made = [replace(t, id=f"lesson-{t.position:04d}", study="lesson") for t in trials]
        return add_study(made, id_="lesson", spec=SPEC, **more)

    return add


@pytest.fixture
def started(monkeypatch):
    specs = []
    monkeypatch.setattr(
        lab, "start", lambda spec, title="": specs.append(spec) or "lesson", raising=False
    )
    return specs


def test_at_first_it_explains_and_offers_to_begin(open_page, started):
    app = open_page("pruning")
    assert not app.exception
    text = text_of(app)
    assert "Whole channels" in text
    assert "a tensor with zeros is stored and multiplied like any other" in text.replace(
        "\n  ", " "
    )
    app.selectbox(key="pruning_model").set_value("signs_resnet8").run()
    app.number_input(key="pruning_steps").set_value(30).run()
    assert "18 trials" in text_of(app)
    app.button(key="pruning_start").click().run()
    (spec,) = started
    assert (spec.model, spec.about["kind"], spec.about["steps"]) == ("signs_resnet8", "pruning", 30)


def test_what_it_shows(open_page, lesson):
    app = open_page("pruning", study=lesson())
    assert not app.exception
    text = text_of(app).replace("\\", "")
    assert "fine-tuned for 40 steps" in text
    assert "(74 % with fine-tuning), 54 % as single weights (81 % with fine-tuning)" in text
    assert "zeros are stored and multiplied like any number" in text
    frame = app.dataframe[0].value
    assert list(frame["Pruned"])[:2] == ["float model", "float model, fine-tuned"]
    assert len(frame) == len(TRIALS)
    assert in_address(app, "study") == "lesson"


def test_one_click_asks_whether_the_order_matters(open_page, lesson, started):
    app = open_page("pruning", study=lesson())
    app.button(key="start_order").click().run()
    assert not app.exception
    (spec,) = started
    assert [s.technique for s in spec.recipes[0].steps][:3] == [
        "keras_channel_pruning",
        "keras_fine_tune",
        "keras_qat_grid",
    ]


def test_while_it_runs_the_first_points_are_awaited(open_page, lesson):
    waiting = [replace(t, state="queued", measurements={}) for t in TRIALS]
    app = open_page("pruning", study=lesson(waiting, state="running"))
    assert not app.exception
    assert "The first points appear here automatically" in text_of(app)


def test_where_everything_failed_it_says_why(open_page, lesson):
    error = {"type": "InvalidFile", "message": "No channel is left."}
    broken = [replace(t, state="failed", measurements={}, error=error) for t in TRIALS]
    app = open_page("pruning", study=lesson(broken))
    assert not app.exception
    assert "Nothing could be measured. No channel is left." in text_of(app).replace("\\", "")


def test_an_address_of_something_else_is_said(open_page, add_study):
    app = open_page("pruning", study=add_study())
    assert not app.exception
    assert "is not a pruning study" in app.warning[0].value


def test_one_click_on_a_models_page_begins_it(open_page, started):
    app = open_page("models", model="signs_resnet8")
    app.button(key="pruning_signs_resnet8").click().run()
    assert not app.exception
    assert [s.about["kind"] for s in started] == ["pruning"]


def test_a_model_that_cannot_be_pruned_says_why_not(open_page, monkeypatch):
    monkeypatch.setattr(lab, "can_prune", lambda id_: False, raising=False)
    app = open_page("models", model="signs_resnet8")
    assert app.button(key="pruning_signs_resnet8").disabled


def test_a_refusal_is_shown(open_page, monkeypatch):
    def refuse(*_, **__):
        raise UsageError("This model cannot be pruned", remedy="Take another")

    monkeypatch.setattr(lab, "pruning_spec", refuse, raising=False)
    app = open_page("pruning")
    assert not app.exception
    assert "This model cannot be pruned" in app.error[0].value


def test_a_study_about_pruning_does_not_open_by_itself_on_the_results_page(
    open_page, add_study, lesson
):
    parent = add_study(id_="parent")
    lesson()
    assert in_address(open_page("study"), "study") == parent
