from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from lab.share.markup import Html, el, joined, json_in_script
from tests.payloads import PAYLOADS


class Reader(HTMLParser):
    """Which elements a browser would make of a text, and what is in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("payload", PAYLOADS)
def test_text_stays_text(payload: str) -> None:
    read = Reader(el("p", payload, title=payload))
    assert read.tags == [("p", {"title": payload})]
    assert read.text == payload


def test_markup_is_put_in_as_it_is() -> None:
    assert (
        el("ul", [el("li", n) for n in (1, "<2>")], None) == "<ul><li>1</li><li>&lt;2&gt;</li></ul>"
    )
    assert isinstance(joined(["a", Html("<b>")]), Html)


def test_attributes() -> None:
    assert (
        el("p", class_="x", aria_label="y", hidden=True, id=None, open=False, data_v=0.0)
        == '<p class="x" aria-label="y" hidden data-v="0.0"></p>'
    )
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'


@pytest.mark.parametrize("payload", PAYLOADS)
def test_json_in_a_script_ends_no_script(payload: str) -> None:
    text = json_in_script({"x": [payload]})
    assert json.loads(text) == {"x": [payload]}
    assert not set("<>&\u2028\u2029") & set(text)
