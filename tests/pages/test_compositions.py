"""Compositions on the form of a new sweep: what prunes, then what trains, then what quantizes."""

from __future__ import annotations

import pytest

import lab
from lab.spec.chains import recipes_of
from tests.pages.test_study import text_of
from tests.pages.test_sweep import started, trials_shown  # noqa: F401 (a fixture)

CHAIN = "digits_lenet.quick.chain"


@pytest.fixture
def form(open_page):
    """The form with compositions of its own, and nothing else to try."""
    app = open_page("sweep")
    app.toggle(key=CHAIN).set_value(True).run()
    assert not app.exception
    return app


def begun(app, started):
    next(b for b in app.button if b.label == "Start").click().run()
    assert not app.exception
    return started[0][0]


def test_a_quick_sweep_composes_nothing_until_asked(open_page, started):
    app = open_page("sweep")
    assert "Compositions" in [s.value for s in app.subheader]
    assert begun(app, started).chains == ()


def test_three_stages_begin_with_one_technique_each(form, started):
    before = trials_shown(form)
    spec = begun(form, started)
    (chain,) = spec.chains
    assert [set(stage) for stage in chain][:2] == [{"keras_channel_pruning"}, {"keras_fine_tune"}]
    assert "" in chain[2]
    assert len(recipes_of(chain)) == 2
    assert before > 2


def test_what_is_chosen_in_each_stage_is_multiplied_and_trainings_are_counted_once(form, started):
    form.multiselect(key=f"{CHAIN}.prune.keras_channel_pruning.ratio").set_value([0.5, "0.3"]).run()
    form.multiselect(key=f"{CHAIN}.tune").set_value(["", "keras_fine_tune"]).run()
    text = text_of(form)
    assert "**8 variants** on every runtime that can run them. 2 trainings, each run once." in text
    spec = begun(form, started)
    assert sum(len(recipes_of(chain)) for chain in spec.chains) == 8
    assert spec.chains[0][0]["keras_channel_pruning"]["ratio"] == (0.5, 0.3)


def test_several_seeds_repeat_each_training(form, started):
    form.number_input(key=f"{CHAIN}.tune.seeds").set_value(3).run()
    assert "3 trainings, each run once" in text_of(form)
    assert begun(form, started).chains[0][1]["keras_fine_tune"]["train_seed"] == (0, 1, 2)


def test_nothing_in_all_stages_is_no_composition(form, started):
    for role in ("prune", "tune", "quantize"):
        form.multiselect(key=f"{CHAIN}.{role}").set_value([]).run()
    assert "There is no composition yet" in text_of(form)
    assert begun(form, started).chains == ()


def test_a_presets_compositions_are_taken_as_they_are_until_changed(
    open_page, started, monkeypatch
):
    chains = tuple(
        (
            {"keras_channel_pruning": {"ratio": (r,)}},
            {"keras_fine_tune": {"train_steps": (s,)}},
            {"": {}},
        )
        for r, s in ((0.3, 100), (0.5, 400))
    )
    monkeypatch.setattr(lab, "preset_chains", lambda *_: chains, raising=False)
    app = open_page("sweep")
    assert app.toggle(key=CHAIN).value
    assert "**2 variants**" in text_of(app)
    assert begun(app, started).chains == chains


def test_a_model_that_came_without_its_framework_has_none(open_page, monkeypatch):
    techniques = [
        t for t in lab.applicable_techniques("digits_lenet", ["ort"]) if t.role == "quantize"
    ]
    monkeypatch.setattr(lab, "applicable_techniques", lambda *_: techniques, raising=False)
    app = open_page("sweep")
    assert not app.exception
    assert "Compositions" not in [s.value for s in app.subheader]
