"""The gallery, a model in detail, the architectures of a data set."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import lab
from lab.errors import LabError, MissingPackage
from lab.store.examples import Examples
from lab.types import Layer
from tests.pages.conftest import in_address

LAYERS = [
    Layer("conv1", "Conv2D", (8, 8, 16), 160, 9216, 4096),
    Layer("logits", "Dense", (10,), 650, None, 40, ("conv1",)),
]


@pytest.fixture(autouse=True)
def few_items(monkeypatch):
    """Reading the real data takes seconds and other packages."""

    def examples(model_id, n):
        if lab.model(model_id).dataset == "languages":
            return Examples(np.zeros((2, 32)), np.arange(2), ("куба", "kuba"))
        return Examples(np.zeros((8, 8, 8, 1)), np.arange(8) % 2)

    only = {id_: lab.models()[id_] for id_ in ("digits_lenet", "langid_transformer")}
    monkeypatch.setattr(lab, "models", lambda: only, raising=False)
    monkeypatch.setattr(lab, "model", only.__getitem__, raising=False)
    monkeypatch.setattr(lab, "examples", examples, raising=False)
    monkeypatch.setattr(lab, "layers", lambda model_id: LAYERS, raising=False)


def complete(app):
    """The page with all its test items, which come in the background."""
    for _ in range(50):
        if "Loading test items" not in html(app):
            break
        time.sleep(0.1)
        app.run()
    return app


def html(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def titles(app) -> list[str]:
    """Titles of the cards that are shown."""
    return re.findall(r"<h2[^>]*>(.*?)</h2>", html(app))


def test_every_model_has_a_card_with_its_numbers(open_page):
    app = open_page("models")
    assert not app.exception
    assert titles(app) == [card.title for card in lab.models().values()]
    for card in lab.models().values():
        quality = lab.primary(card)
        assert f"{100 * quality.value:.1f} %" in html(app)
        assert f"{100 * quality.low:.1f}–{100 * quality.high:.1f} %" in html(app)


def test_the_data_are_drawn_and_texts_are_not_decoded_here(open_page, monkeypatch):
    dataset = replace(
        lab.available_datasets()["languages"],
        decode=lambda item: pytest.fail("decoded in the web process"),
    )
    monkeypatch.setattr(
        lab,
        "dataset_of",
        lambda card: (
            dataset if card.dataset == "languages" else lab.available_datasets()[card.dataset]
        ),
    )
    app = complete(open_page("models"))
    assert "куба" in html(app)
    assert html(app).count("data:image/png;base64") == 8
    assert 'aria-label="Images of the classes 0, 1"' in html(app)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({"framework": "Keras"}, ["digits_lenet"]),
        ({"framework": "PyTorch"}, ["langid_transformer"]),
        ({"data": "languages"}, ["langid_transformer"]),
        ({"largest": "200000"}, ["digits_lenet"]),
        ({"task": "classification"}, ["digits_lenet", "langid_transformer"]),
        ({"framework": "nonsense"}, ["digits_lenet", "langid_transformer"]),
        ({"framework": "Keras", "data": "languages"}, []),
    ],
)
def test_filters_come_from_the_address(open_page, query, left):
    app = open_page("models", **query)
    assert not app.exception
    assert titles(app) == [lab.models()[id_].title for id_ in left]
    if not left:
        assert "Remove a filter" in app.info[0].value


def test_a_filter_that_is_chosen_goes_into_the_address(open_page):
    app = open_page("models")
    app.selectbox(key="choice_framework").select("PyTorch").run()
    assert in_address(app, "framework") == "PyTorch"
    assert titles(app) == [lab.models()["langid_transformer"].title]
    assert "1 of 2 models" in "\n".join(c.value for c in app.caption)
    app.selectbox(key="choice_framework").select("any").run()
    assert "framework" not in app.query_params


def test_a_model_leads_to_its_sweep(open_page):
    app = open_page("models")
    app.button(key="sweep_digits_lenet").click().run()
    assert not app.exception
    assert app.title[0].value == "New sweep"
    assert app.selectbox(key="model_choice").value == "digits_lenet"


def test_a_model_with_studies_leads_to_the_newest(open_page, add_study):
    id_ = add_study()
    app = open_page("models")
    app.button(key="results_digits_lenet").click().run()
    assert in_address(app, "study") == id_


def test_a_model_opens_and_the_way_back_keeps_the_filters(open_page):
    app = open_page("models", framework="Keras")
    app.button(key="open_digits_lenet").click().run()
    assert not app.exception
    assert in_address(app, "model") == "digits_lenet"
    assert app.title[0].value == lab.model("digits_lenet").title
    app.button[0].click().run()
    assert app.title[0].value == "Models"
    assert titles(app) == [lab.model("digits_lenet").title]


def test_the_detail_shows_numbers_data_and_layers(open_page):
    app = open_page("models", model="digits_lenet")
    assert not app.exception
    assert next(m.value for m in app.metric if m.label == "Accuracy").endswith("%")
    assert html(app).count("data:image/png;base64") == 8
    table = app.dataframe[-1].value
    assert list(table["Layer"]) == ["conv1", "logits"]
    assert table["Share of parameters"].sum() == pytest.approx(100)
    assert "2 layers, 810 parameters, MACs unknown, 4.14 kB of activations at peak" in "\n".join(
        c.value for c in app.caption
    )


def test_the_detail_shows_where_the_model_comes_from(open_page):
    app = open_page("models", model="digits_lenet", show="origin")
    assert app.code[0].value == "python -m lab train digits_lenet"
    text = "\n".join(m.value for m in app.markdown)
    assert "Optical Recognition of Handwritten Digits" in text
    assert "**10 classes.**" in text


def test_the_graph_is_a_frame_on_this_server(open_page):
    app = open_page("models", model="langid_transformer", show="graph")
    assert not app.exception
    source = app.get("iframe")[0].proto.src
    assert source.startswith("/component/pages.widgets.netron.graph/index.html?")
    assert "identifier=langid_transformer.pt2" in source


def test_layers_that_cannot_be_read_are_explained(open_page, monkeypatch):
    def refuse(model_id):
        raise LabError("The layers of x.keras could not be read", given="Unknown layer")

    monkeypatch.setattr(lab, "layers", refuse, raising=False)
    app = open_page("models", model="digits_lenet")
    assert not app.exception
    assert "Unknown layer" in "\n".join(c.value for c in app.caption)


def test_an_unknown_model_is_said_to_be_none_and_the_others_are_shown(open_page):
    app = open_page("models", model="lenett")
    assert not app.exception
    assert "lenett" in app.error[0].value
    assert len(titles(app)) == 2


def test_architectures_of_a_data_set_are_compared(open_page):
    app = open_page("models", view="architectures", on="languages", across="size_bytes")
    assert not app.exception
    table = app.dataframe[0].value
    assert list(table["Model"]) == ["Character Transformer"]
    assert app.selectbox(key="choice_on").value == "languages"


def test_data_that_cannot_be_read_do_not_break_the_gallery(open_page, monkeypatch):
    def refuse(model_id, n):
        raise MissingPackage.of("The data", "babel")

    monkeypatch.setattr(lab, "examples", refuse, raising=False)
    app = complete(open_page("models"))
    assert not app.exception
    assert "pip install babel" in html(app)


def test_slow_data_hold_nothing_up(open_page, monkeypatch):
    ready = threading.Event()

    def slow(model_id, n):
        ready.wait(30)
        return Examples(np.zeros((8, 8, 8, 1)), np.arange(8))

    monkeypatch.setattr(lab, "examples", slow, raising=False)
    app = open_page("models")
    assert "Loading test items" in html(app)
    assert app.button(key="sweep_digits_lenet")
    ready.set()


def test_an_empty_gallery_says_how_to_add_a_model(open_page, monkeypatch):
    monkeypatch.setattr(lab, "models", dict, raising=False)
    app = open_page("models")
    assert not app.exception
    assert "lab add" in app.info[0].value
