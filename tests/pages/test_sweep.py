"""The form is made from the options' declarations, and says what it comes to before anything
runs.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

import lab
from lab.errors import UsageError
from lab.plugs import Provider
from lab.spec.plan import plan
from lab.spec.recipes import complete_target, identity
from lab.types import Target
from tests.pages.conftest import in_address


@pytest.fixture
def started(monkeypatch):
    """Collects what would be started."""
    specs = []
    monkeypatch.setattr(
        lab,
        "start",
        lambda spec, title="": specs.append((spec, title)) or "new-study",
        raising=False,
    )
    return specs


def trials_shown(app) -> int:
    return int(next(m.value for m in app.metric if m.label == "Trials"))


def test_the_quick_sweep_is_ready_to_start(open_page):
    app = open_page("sweep")
    assert not app.exception
    assert trials_shown(app) > 4
    assert any(b.label == "Start" for b in app.button)


def test_what_is_shown_is_what_the_preset_means(open_page, started):
    app = open_page("sweep")
    next(b for b in app.button if b.label == "Start").click().run()
    spec, _title = started[0]
    preset = lab.make_spec("digits_lenet", "quick")
    assert spec.to_json() == preset.to_json()
    assert in_address(app, "study") == "new-study"


def test_every_option_of_every_technique_is_on_the_form(open_page):
    app = open_page("sweep")
    app.button_group(key="preset_choice").set_value("full").run()
    keys = {field.key for field in (*app.multiselect, *app.text_input)}
    for technique in lab.applicable_techniques("digits_lenet", ["litert", "ort"]):
        if "full" in technique.presets:
            assert {f"digits_lenet.full.{technique.id}.{o.id}" for o in technique.options} <= keys


def test_a_technique_can_be_left_out(open_page, started):
    app = open_page("sweep")
    before, box = trials_shown(app), app.checkbox(key="digits_lenet.quick.onnx_static_int8")
    box.uncheck().run()
    assert trials_shown(app) < before
    next(b for b in app.button if b.label == "Start").click().run()
    assert "onnx_static_int8" not in started[0][0].space


def test_a_runtime_can_be_left_out(open_page, started):
    app = open_page("sweep")
    app.checkbox(key="digits_lenet.quick.ort").uncheck().run()
    next(b for b in app.button if b.label == "Start").click().run()
    assert {t.runtime for t in started[0][0].targets} == {"litert"}


def test_without_a_runtime_nothing_can_start(open_page):
    app = open_page("sweep")
    for runtime in ("ort", "litert"):
        app.checkbox(key=f"digits_lenet.quick.{runtime}").uncheck().run()
    assert not app.exception
    assert not any(b.label == "Start" for b in app.button)
    assert "at least one target runtime" in app.warning[0].value


def test_a_value_outside_an_options_bounds_is_refused_in_words(open_page, started):
    app = open_page("sweep")
    app.multiselect(key="digits_lenet.quick.ort.threads").set_value([1, "0"]).run()
    assert not app.exception
    assert any("0 is not valid. Accepted: int from 1 to 64" in c.value for c in app.caption)
    next(b for b in app.button if b.label == "Start").click().run()
    assert complete_target(Target("ort", {"threads": 1})) in started[0][0].targets


def test_a_typed_number_becomes_a_target(open_page, started):
    app = open_page("sweep")
    app.multiselect(key="digits_lenet.quick.ort.threads").set_value([1, "3"]).run()
    next(b for b in app.button if b.label == "Start").click().run()
    spec = started[0][0]
    assert complete_target(Target("ort", {"threads": 3})) in spec.further_targets
    assert complete_target(Target("ort", {"threads": 1})) in spec.targets


def test_every_variant_can_run_on_every_combination(open_page, started):
    app = open_page("sweep")
    app.multiselect(key="digits_lenet.quick.ort.threads").set_value([1, "3"]).run()
    app.checkbox(key="digits_lenet.quick.ort.every").check().run()
    next(b for b in app.button if b.label == "Start").click().run()
    assert complete_target(Target("ort", {"threads": 3})) in started[0][0].targets
    assert not started[0][0].further_targets


def test_an_unknown_model_in_the_address_is_said(open_page):
    app = open_page("sweep", model="nope")
    assert not app.exception
    assert (
        "There is no model nope here" in app.warning[0].value
        or app.selectbox(key="model_choice").value
    )


def test_what_cannot_start_is_explained_on_the_page(open_page, monkeypatch):
    def refuse(spec, title=""):
        raise UsageError("Nothing can be run", remedy="Name a target")

    monkeypatch.setattr(lab, "start", refuse, raising=False)
    app = open_page("sweep")
    next(b for b in app.button if b.label == "Start").click().run()
    assert not app.exception
    assert "Nothing can be run" in app.error[0].value


def test_execution_providers_are_listed_with_their_reasons_when_asked_for(open_page, monkeypatch):
    found = (
        Provider("CPU", True, "in every build"),
        Provider("CUDA", False, "needs onnxruntime-gpu"),
    )
    monkeypatch.setattr(lab, "execution_providers", lambda id_: found, raising=False)
    app = open_page("sweep")
    before = len(app.dataframe)
    app.toggle(key="digits_lenet.quick.ort.providers").set_value(True).run()
    assert not app.exception
    assert list(app.dataframe[before].value["Reason"]) == [
        "in every build",
        "needs onnxruntime-gpu",
    ]


CHAINED = (
    {"keras_channel_pruning": {"ratio": (0.3,)}},
    {"": {}, "keras_fine_tune": {"train_steps": (7,)}},
)


@pytest.mark.parametrize(
    "spec",
    [
        lambda: lab.make_spec("digits_lenet", "quick", rounds=7),
        lambda: lab.make_spec("signs_resnet8", "standard"),
        lambda: lab.make_spec(
            "digits_lenet",
            space={"onnx_fp16": {}},
            targets=["ort:threads=2", "ort:threads=1"],
            chains=[CHAINED],
        ),
    ],
)
def test_a_sweep_in_a_link_fills_the_form_in(open_page, started, spec):
    wanted = spec()
    app = open_page("sweep", spec=lab.spec_to_text(wanted))
    assert not app.exception
    assert app.info[0].value.startswith("Filled in from a link")
    next(b for b in app.button if b.label == "Start").click().run()
    ((got, _title),) = started
    card = lab.model(wanted.model)
    identities = lambda s: sorted(identity(t.recipe, t.target) for t in plan(s, card).trials)  # noqa: E731
    assert identities(got) == identities(wanted)
    assert (got.rounds, got.objectives) == (wanted.rounds, wanted.objectives)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "eNpdyjsOgCAQhOG7TE1jy1WMMUQ2uJG",
        "!!!",
        "eJyrVkrOSC3KTVWyUvJIzcnJVyjPL8pJUQQAM4oFZQ",
    ],
)
def test_a_link_that_is_cut_off_is_explained_and_the_form_is_there(open_page, text):
    app = open_page("sweep", spec=text)
    assert not app.exception
    assert "does not hold a whole sweep" in app.error[0].value
    assert trials_shown(app) > 4


def test_a_sweep_of_a_model_that_is_not_here_says_how_to_get_it(open_page):
    spec = replace(lab.make_spec("digits_lenet"), model="<b>theirs</b>")
    app = open_page("sweep", spec=lab.spec_to_text(spec))
    assert not app.exception
    assert r"\<b\>theirs\</b\>" in app.error[0].value
    assert "python -m lab add" in app.error[0].value
