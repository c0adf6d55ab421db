"""The whole way of a first-time user, and what must survive on it: zoom, choice, address."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import RANGES, click_until, lonely, points, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SWEEP_MS = 420_000
ENDED = """() => document.body.innerText.includes("Best pick:")
  && ![...document.querySelectorAll("button")].some((b) => b.innerText.includes("Cancel"))"""
"""There are results, and nothing to cancel: a page that is just being drawn has neither."""


def test_the_first_link_that_a_fresh_server_opens_shows_the_whole_app(open_at):
    page = open_at("/sweep?model=digits_lenet")
    page.get_by_role("heading", name="New sweep").wait_for()
    settled(page)
    page.get_by_role("link", name="Results").first.wait_for()
    assert page.get_by_text("streamlit app").count() == 0


@pytest.fixture(scope="module")
def finished_study(chromium, address) -> str:
    """Address of a study that somebody started from the gallery: open, pick a model, sweep, wait
    for the front.
    """
    page = chromium.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.set_default_timeout(30_000)
    page.goto(address)
    page.get_by_role("link", name="Models").first.click()
    page.get_by_text("LeNet, handwritten digits").wait_for()
    page.locator(".st-key-sweep_digits_lenet button").click()
    page.get_by_role("heading", name="New sweep").wait_for()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("trials done").wait_for()
    page.reload()  # the study must not care
    page.get_by_role("button", name="Export").wait_for()
    page.wait_for_function(ENDED, timeout=SWEEP_MS)
    page.get_by_text("Best pick:").wait_for()
    assert "study=" in page.url
    return page.url.removeprefix(address)


def test_the_front_is_there_and_a_pick_is_named(open_at, finished_study):
    page = open_at(finished_study)
    page.get_by_text("Best pick:").wait_for()
    assert len(points(page)) > 4
    page.locator("[role=tabpanel]").get_by_text(
        re.compile("Speed|Size|No rule found|float model")
    ).first.wait_for()  # why it is as it is
    page.get_by_role("tab", name="Numbers").click()
    page.get_by_text("All classes").wait_for()
    elsewhere = page.get_by_text("Same file on other processors").count()
    assert (
        page.locator("[data-testid=stDataFrame]").count() == 3 + elsewhere
    )  # trials, the chosen one's numbers, its classes


def test_a_clicked_point_is_described_and_its_link_shows_it_elsewhere(open_at, finished_study):
    page = open_at(finished_study)
    settled(page)
    id_ = lonely(page)[0]
    click_until(page, lambda: lonely(page)[1:], f"trial={id_}")
    settled(page)
    page.get_by_role("tab", name="Timing").click()
    page.get_by_text(re.compile("timed runs in .* rounds")).wait_for()
    name = page.locator("h5").first.inner_text()

    other = open_at(page.url.removeprefix(page.url.split("/?")[0]), color_scheme="dark")
    other.get_by_text(re.compile("timed runs in .* rounds")).wait_for()
    assert other.locator("h5").first.inner_text() == name
    assert f"trial={id_}" in other.url


def test_a_ticked_row_is_chosen_in_the_plot_too(open_at, finished_study):
    page = open_at(finished_study)
    settled(page)
    points(page)
    table = page.locator("[data-testid=stDataFrame]").last
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(500)

    def first_box() -> tuple[float, float]:
        box = table.bounding_box()
        return box["x"] + 16, box["y"] + 52

    click_until(page, first_box, "trial=.*-0000")
    settled(page)
    chosen = page.evaluate(
        """() => { const g = document.querySelector(".lab-chart.js-plotly-plot"), ring = g.data.at(-1);
           const t = g.data.find((t) => (t.customdata ?? []).some((row) => row[0].endsWith("-0000")));
           return [ring.marker.symbol, ring.x[0], t.x[t.customdata.findIndex((row) => row[0].endsWith("-0000"))]]; }"""
    )
    assert chosen[0] == "circle-open"
    assert chosen[1] == chosen[2]


def test_zoom_survives_a_click_a_limit_and_another_goal(open_at, finished_study):
    page = open_at(finished_study)
    settled(page)
    zoom_in(page)
    before = page.evaluate(RANGES)
    click_inside(page)
    page.locator("[data-testid=stButtonGroup]").get_by_text("Accuracy", exact=True).click()
    page.wait_for_url(re.compile("goal="))
    page.get_by_role("slider", name="Maximum size").press("ArrowLeft")
    page.wait_for_url(re.compile("size_bytes_at_most="))
    settled(page)
    assert page.evaluate(RANGES) == before


def zoom_in(page) -> None:
    """Zoom to the middle of the plot, both ways."""
    points(page)
    box = page.locator(".lab-chart .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 0.05 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)


def click_inside(page) -> None:
    """Click a marker that the zoom shows."""

    def first_in_sight() -> tuple[float, float]:
        box = page.locator(".lab-chart .nsewdrag").bounding_box()
        right, bottom = box["width"] - 20, box["height"] - 20
        inside = (
            (x, y)
            for x, y in points(page).values()
            if 20 < x - box["x"] < right and 20 < y - box["y"] < bottom
        )
        return next(inside)

    click_until(page, first_in_sight, "trial=")


def test_a_goal_and_a_limit_are_in_the_link(open_at, finished_study):
    page = open_at(finished_study + "&goal=latency_s&size_bytes_at_most=60000.0")
    page.get_by_text(re.compile("Fastest within 1 point .* that meets all limits")).wait_for()


def test_the_table_can_be_downloaded(open_at, finished_study):
    page = open_at(finished_study)
    settled(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV table").click()
    text = download.value.path().read_text()
    assert text.startswith("id,name,")
    assert "float32" in text


def test_the_model_file_can_be_downloaded(open_at, finished_study):
    page = open_at(finished_study + "&detail=Recipe")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download the model")).click()
    assert download.value.path().stat().st_size > 1000


def test_a_second_sweep_takes_what_is_known_from_the_store(open_at, finished_study):
    page = open_at("/sweep?model=digits_lenet")
    settled(page)
    page.get_by_text("Already measured").wait_for()
    text = page.locator(".st-key-sweep_summary").inner_text()
    trials, known = (
        int(n) for n in re.search(r"Trials\D+(\d+)\D+Already measured\D+(\d+)", text).groups()
    )
    assert trials > 0
    assert known == trials


def test_a_link_to_nowhere_is_explained(open_at):
    page = open_at("/?study=nowhere")
    page.get_by_text("There is no study").wait_for()


def test_the_theme_follows_the_system_and_can_be_chosen(open_at, finished_study):
    page = open_at(finished_study, color_scheme="dark")
    page.wait_for_function(f"({INK})() === '#E6EAF0'")
    page.get_by_test_id("stMainMenu").click()
    page.get_by_text(re.compile("Light$")).click()
    page.wait_for_function(f"({INK})() === '#1F2933'")


INK = "() => document.querySelector('.lab-chart.js-plotly-plot')?.layout.template.layout.font.color"
