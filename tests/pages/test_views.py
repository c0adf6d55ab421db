"""The Results page looked at in other ways: views, filter, compromises, ticked trials, notes; and
through a link.
"""

from __future__ import annotations

import re

import pytest

import lab
from lab.home import folder
from tests import fakes
from tests.pages.conftest import in_address

TRICKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "![x](https://elsewhere.example/x.png)",
    "</textarea><b>x</b>",
    "**bold** _it_ `code` # head",
    ":red[x] :material/home: $x$",
    "{{7*7}} ${7*7}",
)


def text_of(app) -> str:
    kinds = ("title", "markdown", "caption", "success", "warning", "info", "error")
    return "\n".join(str(e.value) for kind in kinds for e in app.get(kind))


@pytest.mark.parametrize("view", ["plot", "solid", "parallel", "multiples"])
@pytest.mark.parametrize("color", ["runtime", "method"])
@pytest.mark.parametrize("third", ["area", "color"])
def test_every_view_opens(open_page, add_study, view, color, third):
    app = open_page("study", study=add_study(), view=view, color=color, third=third, ticked="2,5")
    assert not app.exception


def test_a_compromise_is_named_and_weights_move_it(open_page, add_study):
    id_ = add_study()
    app = open_page("study", study=id_, goal="knee")
    assert not app.exception
    assert "The best compromise of accuracy, size and latency" in app.success[0].value
    light = open_page(
        "study",
        study=id_,
        goal="weights",
        weight_size_bytes="5.0",
        weight_latency_s="0.0",
        weight_top1_accuracy="0.0",
    )
    assert "The best by your weights" in light.success[0].value
    done = [t for t in lab.trials(id_) if t.state == "complete"]
    smallest = min(done, key=lambda t: t.measurements["size_bytes"].value)
    assert smallest.name.replace("_", r"\_") in light.success[0].value


def test_a_filter_hides_all_but_what_is_asked_for_and_the_baselines(open_page, add_study):
    id_ = add_study()
    app = open_page("study", study=id_, on="litert", find="STATIC")
    assert not app.exception
    names = app.dataframe[-1].value
    wanted = [
        t
        for t in lab.trials(id_)
        if t.is_baseline or (t.target.runtime == "litert" and "static" in t.name)
    ]
    assert list(names["Trial"]) == [t.name for t in wanted]


def test_a_filter_that_names_what_is_not_there_hides_nothing(open_page, add_study):
    id_ = add_study()
    app = open_page("study", study=id_, on="gone", how="<b>")
    assert not app.exception
    assert len(app.dataframe[-1].value) == len(lab.trials(id_))


def test_ticked_trials_can_be_shown_alone_and_compared(open_page, add_study):
    id_ = add_study()
    app = open_page("study", study=id_, ticked="2,4,9", rows="Ticked")
    assert not app.exception
    assert len(app.dataframe[-1].value) == 3
    assert any(b.label == "Compare 3 side by side" for b in app.button)


def test_a_note_is_written_read_and_removed(open_page, add_study):
    id_ = add_study()
    app = open_page("study", study=id_)
    app.text_area(key=f"note_{id_}").set_value("**Ship** the small one").run()
    app.button(key=f"note_{id_}_save").click().run()
    assert not app.exception
    assert lab.notes(id_) == {"": "**Ship** the small one"}
    assert "**Ship** the small one" in [m.value for m in app.markdown]


def test_a_link_shows_its_view_and_nothing_that_changes_anything(open_page, add_study):
    id_ = add_study()
    other = add_study(fakes.trials(study="study-2"), id_="study-2")
    trial = lab.trials(id_)[5]
    lab.set_note(id_, "Read me")
    token = lab.create_link(
        id_, {"goal": ["latency_s"], "trial": [trial.id], "ticked": ["5,7"], "detail": ["Numbers"]}
    ).token
    app = open_page("study", link=token, study=other)
    assert not app.exception
    assert "Fastest" in app.success[0].value
    assert trial.name.replace("_", r"\_") in text_of(app)
    assert "Read me" in text_of(app)
    assert in_address(app, "goal") == "latency_s"
    assert not {"Run again", "Cancel", "Save", "Create link"} & {b.label for b in app.button}
    assert not app.text_area
    assert not any(s.label == "Open another study" for s in app.selectbox)


@pytest.mark.parametrize("token", ["", "made-up", "<script>"])
def test_a_link_that_leads_nowhere_says_so(open_page, add_study, token):
    add_study()
    app = open_page("study", link=token)
    assert not app.exception
    assert "There is no such link" in app.error[0].value
    assert not app.dataframe


@pytest.mark.parametrize("trick", TRICKS)
def test_what_people_type_stays_text(open_page, add_study, trick):
    trials = [fakes.trial(trick, 0.95, 2e5, 4e-4, position=n, baseline=n == 0) for n in range(3)]
    id_ = add_study(trials, title=trick)
    lab.set_note(id_, trick)
    app = open_page("study", study=id_, color="method", view="multiples", find=trick[:5])
    assert not app.exception
    assert not any(getattr(m, "allow_html", False) and trick in str(m.value) for m in app.markdown)
    for shown in (*app.title, *app.success, *app.caption, *app.markdown):
        assert not re.search(
            r"(?<!\\)<(img|script|b>|/textarea)|(?<!\\)\]\((javascript|data)|(?<!\\)!\[",
            str(shown.value),
        )


@pytest.mark.parametrize(
    "section", ["Why", "Numbers", "Compare", "Timing", "Operators", "Size", "Recipe", "Machine"]
)
def test_every_section_of_a_trial_opens_through_a_link(open_page, add_study, section):
    id_ = add_study(fakes.with_evidence(fakes.trials(), folder("artifacts")))
    trial = lab.trials(id_)[5]
    token = lab.create_link(id_, {"trial": [trial.id], "detail": [section]}).token
    app = open_page("study", link=token)
    assert not app.exception
    assert not {
        "Side by side",
        "Find the layers that cost accuracy",
        "Try the other order",
    } & {b.label for b in app.button}
