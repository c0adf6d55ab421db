"""The gallery."""

from __future__ import annotations

import numpy as np
import pytest

import lab
from lab.errors import MissingPackage
from tests.pages.conftest import in_address


@pytest.fixture(autouse=True)
def few_items(monkeypatch):
    """Reading the real data takes seconds and other packages."""
    shapes = {"digits": (8, 8, 8, 1), "languages": (8, 32)}

    def examples(model_id, n):
        shape = shapes.get(lab.model(model_id).dataset, (8, 8, 8, 1))
        return np.zeros(shape, dtype=np.int32 if len(shape) == 2 else np.float32), np.arange(8) % 2

    monkeypatch.setattr(lab, "examples", examples, raising=False)


def test_every_model_has_a_card_with_its_numbers(open_page):
    app = open_page("models")
    assert not app.exception
    text = "\n".join(m.value for m in app.markdown)
    for card in lab.models().values():
        assert card.title in text
    assert next(m.value for m in app.metric if m.label == "Accuracy").endswith("%")
    assert "95 % interval" in "\n".join(c.value for c in app.caption)


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


def test_data_that_cannot_be_read_do_not_break_the_gallery(open_page, monkeypatch):
    def refuse(model_id, n):
        raise MissingPackage.of("The data", "babel")

    monkeypatch.setattr(lab, "examples", refuse, raising=False)
    app = open_page("models")
    assert not app.exception
    assert "pip install babel" in "\n".join(c.value for c in app.caption)


def test_an_empty_gallery_says_how_to_add_a_model(open_page, monkeypatch):
    monkeypatch.setattr(lab, "models", dict, raising=False)
    app = open_page("models")
    assert not app.exception
    assert "lab add" in app.info[0].value
