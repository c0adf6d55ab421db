"""The Layers page: nothing yet, while it runs, what was found, and what is done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

import lab
from lab.analysis.sensitivity import changed
from lab.types import Recipe, Step, StudySpec, Target
from tests import fakes
from tests.pages.conftest import in_address
from tests.pages.test_study import text_of

RECIPE = Recipe(
    (Step("keras_to_onnx", {}), Step("onnx_static_int8", {"only": (), "keep_float": ()}))
)
NAMES = ("conv", "conv_1", "gemm")
TARGET = Target("ort", {"threads": 1})


def about(study: str) -> dict[str, object]:
    groups = [
        {"name": n, "label": f"model.{n}", "type": "Conv", "names": [n], "position": i}
        for i, n in enumerate(NAMES)
    ]
    return {
        "kind": "sensitivity",
        "study": study,
        "trial": f"{study}-0002",
        "step": 1,
        "groups": groups,
    }


def layer_trials(study: str) -> list:
    made = []
    probes = [{}, *({"only": (n,)} for n in NAMES), *({"keep_float": (n,)} for n in NAMES)]
    for number, params in enumerate(probes):
        trial = fakes.trial(
            f"v{number}", 0.9, 1e5, 1e-3, position=number, spread=(0.01, 1e-5), study=study
        )
        more = {
            "sqnr_db": fakes.measured_in("sqnr_db", 10.0 + 5 * number, "dB"),
            "accuracy_change": fakes.measured_in("accuracy_change", -0.01 * number, "1", 0.005),
        }
        made.append(
            replace(
                trial,
                id=f"{study}-{number:04d}",
                recipe=changed(RECIPE, 1, **params),
                measurements={**trial.measurements, **more},
            )
        )
    return made


@pytest.fixture
def layers_study(add_study) -> str:
    parent = add_study(id_="parent")
    spec = StudySpec("digits_lenet", recipes=(RECIPE,), targets=(TARGET,), about=about(parent))
    return add_study(
        layer_trials("layers"), id_="layers", spec=spec, title="Layer by layer: static_wi8_ai8"
    )


def test_without_such_a_study_it_says_how_to_make_one(open_page, add_study):
    add_study()
    app = open_page("layers")
    assert not app.exception
    assert "Find the layers that cost accuracy" in text_of(app)


def test_layers_are_ordered_by_harm_and_by_the_graph(open_page, layers_study):
    app = open_page("layers", study=layers_study)
    assert not app.exception
    assert "Most harmful layer: **model.conv**" in text_of(app)
    assert list(app.dataframe[0].value["Layer"]) == ["model.conv", "model.conv_1", "model.gemm"]
    assert app.dataframe[0].value["SQNR alone, dB"].tolist() == [15.0, 20.0, 25.0]
    app.button_group(key="choice_order").set_value("graph").run()
    assert not app.exception
    assert in_address(app, "order") == "graph"


def test_chosen_layers_become_a_recipe_of_the_first_study(open_page, layers_study, monkeypatch):
    asked = []
    monkeypatch.setattr(
        lab, "raise_layers", lambda *given: asked.append(given) or ("parent-0099",), raising=False
    )
    app = open_page("layers", study=layers_study)
    app.session_state["layers_picked_layers"] = ["conv_1"]
    app.run()
    button = next(b for b in app.button if b.label == "Keep in float")
    assert not button.disabled
    button.click().run()
    assert not app.exception
    assert asked == [("layers", ["conv_1"], "keep_float")]
    assert "1 trial added to the study" in app.success[0].value


def test_what_cannot_be_done_is_said(open_page, layers_study, monkeypatch):
    app = open_page("layers", study=layers_study)
    next(b for b in app.button if b.label == "Find mixed precision automatically").click().run()
    assert not app.exception
    assert app.error[0].value


def test_while_it_runs_it_shows_how_far_it_is(open_page, add_study):
    parent = add_study(id_="parent")
    spec = StudySpec("digits_lenet", recipes=(RECIPE,), targets=(TARGET,), about=about(parent))
    waiting = [replace(t, state="queued", measurements={}) for t in layer_trials("layers")]
    app = open_page("layers", study=add_study(waiting, id_="layers", spec=spec, state="running"))
    assert not app.exception
    assert "The first layers appear here automatically" in text_of(app)


def test_the_newest_study_that_opens_by_itself_is_one_with_a_front(open_page, layers_study):
    app = open_page("study")
    assert in_address(app, "study") == "parent"
