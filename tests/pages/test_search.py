"""A search is chosen on the Sweep page, and its curve is on the Results page."""

from __future__ import annotations

from dataclasses import replace

import pytest

import lab
from lab.plots.search import NAMES
from lab.spec.search import search_from_json
from tests import fakes
from tests.pages.conftest import in_address


@pytest.fixture
def started(monkeypatch):
    specs = []
    monkeypatch.setattr(
        lab, "start", lambda spec, title="": specs.append(spec) or "new-study", raising=False
    )
    return specs


def press(app, label):
    return next(b for b in app.button if b.label == label).click().run()


def shown(app, label):
    return int(next(m.value for m in app.metric if m.label == label))


def number(app, label):
    return next(n for n in app.number_input if n.label == label)


def test_a_search_is_chosen_and_started(open_page, started):
    app = open_page("sweep")
    grid = shown(app, "Trials")
    app.button_group(key="choice_run").set_value("search").run()
    assert not app.exception
    assert in_address(app, "run") == "search"
    assert shown(app, "Trials") == number(app, "Maximum trials").value == round(0.35 * grid)
    number(app, "Maximum trials").set_value(9).run()
    number(app, "Maximum minutes").set_value(2).run()
    next(s for s in app.selectbox if s.label == "Sampler").set_value("tpe").run()
    assert shown(app, "Trials") == 9
    press(app, "Start")
    wanted = search_from_json({"sampler": "tpe", "trials": 9, "minutes": 2})
    assert started[0].search == wanted
    assert started[0].to_json() == lab.make_spec("digits_lenet", "quick", search=wanted).to_json()


def test_a_link_shows_the_same_search(open_page):
    app = open_page("sweep", run="search", trials="7", sampler="nsga2", search_seed="5")
    assert not app.exception
    assert [number(app, label).value for label in ("Maximum trials", "Seed")] == [7, 5]
    assert next(s for s in app.selectbox if s.label == "Sampler").value == "nsga2"


def test_an_impossible_number_in_the_address_is_not_taken(open_page):
    app = open_page("sweep", run="search", trials="-4", search_seed="nan")
    assert not app.exception
    assert number(app, "Maximum trials").value == 1
    assert number(app, "Seed").value == 0


def test_a_link_that_holds_a_sweep_begins_with_its_search(open_page, started):
    limits = [{"metric": "size_bytes", "kind": "at_most", "value": 9e4}]
    wanted = {
        "sampler": "nsga2",
        "trials": 11,
        "minutes": 2.5,
        "seed": 3,
        "batch": 2,
        "limits": limits,
    }
    spec = lab.make_spec("digits_lenet", "quick", search=wanted)
    app = open_page("sweep", spec=lab.spec_to_text(spec))
    assert not app.exception
    assert shown(app, "Trials") == 11
    press(app, "Start")
    assert started[0].search == spec.search
    again = open_page("sweep", spec=lab.spec_to_text(spec), run="grid")
    press(again, "Start")
    assert started[1].search == {}


def searched(**more):
    return replace(fakes.study().spec, search=search_from_json({"trials": 30, **more}))


def test_the_curve_is_on_the_results_page(open_page, add_study):
    study = add_study(id="searched", spec=searched())
    app = open_page("study", study=study)
    assert not app.exception
    assert any(NAMES["ehvi"] in e.label for e in app.expander)
    text = " ".join(m.value for m in app.markdown)
    assert "24 of at most 30 trials run" in text
    assert any("10 points from float" in c.value for c in app.caption)


def test_a_grid_has_no_curve(open_page, add_study):
    app = open_page("study", study=add_study())
    assert not any("search" in e.label for e in app.expander)


def test_a_search_goes_on_with_a_larger_budget(open_page, add_study, monkeypatch):
    monkeypatch.setattr("lab.api._search.ensure_engine", lambda: None)
    study = add_study(id="searched", spec=searched())
    app = open_page("study", study=study)
    number(app, "Total trials").set_value(40)
    press(app, "Continue the search")
    assert not app.exception
    assert lab.study(study).spec.search["trials"] == 40
    assert lab.study(study).state == "queued"


def test_a_search_that_has_only_begun_is_shown_without_a_curve(open_page, add_study):
    study = add_study([], id="begun", state="running", spec=searched())
    app = open_page("study", study=study)
    assert not app.exception
