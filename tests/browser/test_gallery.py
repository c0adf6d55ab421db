"""The gallery as a person meets it: filters, a model's layers and graph, architectures; nothing is
asked of any other server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import lab
from lab.store import records
from lab.store.blobs import keep
from lab.types import InputSpec, ModelCard
from tests import tiny
from tests.browser.conftest import click_until, points, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GRAPHS = {
    "digits_lenet": "Conv2D",
    "langid_transformer": "embedding",
    "tiny_onnx": "Gemm",
    "tiny_tflite": "FullyConnected",
}
"""Model -> an operator in its graph: one model of each format."""


@pytest.fixture(scope="module")
def models(address, home) -> None:
    """A model of each format in the server's lab."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_HOME", str(home))
        for format_, write in (("onnx", tiny.write_onnx), ("tflite", tiny.write_tflite)):
            file = keep(write(Path(home) / f"tiny.{format_}"), format_).path
            records.add_model(
                ModelCard(
                    f"tiny_{format_}",
                    f"Tiny {format_}",
                    "classification",
                    format_,
                    format_,
                    file,
                    InputSpec((8, 8, 3)),
                    "digits",
                )
            )


def elsewhere(page, address: str) -> Callable[[], list[str]]:
    """What the page asks of any other server from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws:", "http:")))
    return lambda: [url for url in asked if not url.startswith((address, "data:", "blob:"))]


def test_a_filter_a_model_its_layers_and_back(open_at, models):
    page = open_at("/models")
    page.locator(".st-key-sweep_langid_transformer button").wait_for()
    page.get_by_role("combobox", name=re.compile("Framework")).click()
    page.get_by_role("option", name="Keras").click()
    page.wait_for_url(re.compile("framework=Keras"))
    page.locator(".st-key-sweep_langid_transformer").wait_for(state="detached")
    page.locator(".st-key-open_digits_lenet button").click()
    page.wait_for_url(re.compile("model=digits_lenet"))
    page.get_by_text(re.compile(r"layers, [\d,]+ parameters, [\d,]+ MACs per item")).wait_for()
    page.locator("img[alt^='image: ']").nth(7).wait_for()
    assert page.locator("img[alt^='image: ']").count() == 8
    page.get_by_role("button", name="All models").click()
    page.locator(".st-key-sweep_digits_lenet button").wait_for()
    assert "framework=Keras" in page.url
    assert page.locator(".st-key-sweep_langid_transformer").count() == 0


# Netron forbids eval in its frame, and so the driver to look into it; the page around it may.
INSIDE = """document.querySelector("iframe[title^='Graph of the operators']")?.contentDocument"""
OPERATOR = (
    INSIDE + """?.querySelectorAll("svg text").values().find((text) => text.textContent === NAME)"""
)


def drawn(page, name: str) -> str:
    """Waits for an operator in the graph; returns the script that finds it."""
    found = OPERATOR.replace("NAME", repr(name))
    page.wait_for_function(found)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("model", GRAPHS)
def test_netron_draws_every_format_and_asks_no_other_server(
    open_at, address, models, model, scheme
):
    page = open_at(f"/models?model={model}&show=origin", color_scheme=scheme)
    settled(page)
    strays = elsewhere(page, address)
    page.get_by_role("radio", name="Graph").or_(
        page.get_by_role("button", name="Graph")
    ).first.click()
    drawn(page, GRAPHS[model])
    page.wait_for_timeout(1500)
    assert strays() == []
    assert {cookie["name"] for cookie in page.context.cookies()} <= {"_streamlit_xsrf"}
    ground = page.evaluate(f"getComputedStyle({INSIDE}.getElementById('target')).backgroundColor")
    assert ground == page.locator("[data-testid=stApp]").evaluate(
        "app => getComputedStyle(app).backgroundColor"
    )


def test_an_operator_that_is_clicked_is_described(open_at, models):
    page = open_at("/models?model=tiny_onnx&show=graph")
    operator = drawn(page, "Gemm")
    frame = page.locator("iframe[title^='Graph of the operators']")
    frame.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    inside, outside = (
        page.evaluate(f"{operator}.getBoundingClientRect().toJSON()"),
        frame.bounding_box(),
    )
    page.mouse.click(outside["x"] + inside["x"] + 5, outside["y"] + inside["y"] + 5)
    page.wait_for_function(
        f"{INSIDE}.getElementById('sidebar').innerText.toUpperCase().includes('NODE PROPERTIES')"
    )


def test_a_marker_among_the_architectures_opens_its_model(open_at, models):
    page = open_at("/models?view=architectures&on=digits")
    settled(page)
    click_until(page, lambda: points(page)["digits_lenet"], "model=digits_lenet")
    page.get_by_role("heading", name=lab.model("digits_lenet").title).wait_for()
