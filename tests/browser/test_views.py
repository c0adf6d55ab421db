"""One study in a browser: plot and table mean the same trials, a link shows the same picture, new
results disturb nothing.
"""

from __future__ import annotations

import fcntl
import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import expect

import lab
from lab.store import records
from lab.types import Trial
from tests import fakes
from tests.browser.conftest import RANGES, click_until, lonely, points, settled
from tests.browser.test_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UPDATES = 5
RINGS = """() => { const g = document.querySelector(".lab-chart.js-plotly-plot");
  return g.data.filter((t) => t.marker?.symbol === "circle-open").map((t) => [t.x[0], t.y[0]]); }"""
WHERE = """() => Object.fromEntries(document.querySelector(".lab-chart.js-plotly-plot").data.flatMap((t) =>
  (t.customdata ?? []).map((row, i) => [row[0], [t.x[i], t.y[i]]])))"""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server whose studies nobody runs: this process has the engine's lock."""
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("still")
    patch.setenv("LAB_HOME", str(home))
    patch.delenv("LAB_DATABASE_URL", raising=False)
    with (home / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Server(home)
        yield made
        made.process.terminate()
        made.process.wait(20)
    patch.undo()


@pytest.fixture
def view(chromium, server):
    """Opens a page of that server in a profile of its own."""
    contexts, problems = [], list[str]()

    def open_(path: str):
        contexts.append(
            chromium.new_context(viewport={"width": 1366, "height": 900}, reduced_motion="reduce")
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.address + path)
        settled(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def add(id_: str, trials: list[Trial], state: str = "complete") -> str:
    study = fakes.study(id_=id_, state=state)
    records.add_study(study, lab.model(study.model), trials)
    return id_


def picture(page) -> Image.Image:
    """The plot area."""
    page.locator(".lab-chart").first.evaluate("(e) => e.scrollIntoView({block: 'center'})")
    page.mouse.move(2, 2)
    page.wait_for_timeout(600)
    return Image.open(io.BytesIO(page.locator(".lab-chart").first.screenshot())).convert("RGB")


def tick_row(page, number: int, address: str) -> None:
    """Tick a row of the table of trials, by its place from the top, until the address shows it."""
    table = page.locator("[data-testid=stDataFrame]").last
    table.scroll_into_view_if_needed()

    def place() -> tuple[float, float]:
        page.wait_for_timeout(500)
        box = table.bounding_box()
        return box["x"] + 16, box["y"] + 52 + 35 * number

    click_until(page, place, address)
    settled(page)


def test_a_clicked_point_is_ticked_in_the_table_and_ticked_rows_are_ringed(view, server):
    study = add("ticks", fakes.trials(study="ticks"))
    page = view(f"/?study={study}")
    id_ = lonely(page)[0]
    click_until(page, lambda: lonely(page)[1:], f"trial={id_}")
    settled(page)
    trial = next(t for t in lab.trials(study) if t.id == id_)
    assert page.locator("h5").first.inner_text() == trial.name
    assert page.evaluate(RINGS) == [page.evaluate(WHERE)[id_]]
    others = [n for n in (0, 2) if n != trial.position]
    for n in others:
        tick_row(page, n, rf"trial=t000{n}-")
    ids = sorted({trial.id, *(t.id for t in lab.trials(study) if t.position in others)})
    page.wait_for_url(re.compile("ticked="))
    where = page.evaluate(WHERE)
    assert sorted(page.evaluate(RINGS)) == sorted(where[i] for i in ids)
    page.get_by_role("button", name=re.compile(f"Compare {len(ids)} side by side")).wait_for()


def test_a_point_clicked_with_shift_is_ticked_as_well(view, server):
    study = add("shift", fakes.trials(study="shift"))
    page = view(f"/?study={study}&trial=t0000-shift")
    assert lonely(page)[0] != "t0000-shift"
    page.keyboard.down("Shift")
    click_until(page, lambda: lonely(page)[1:], "ticked=")
    page.keyboard.up("Shift")
    settled(page)
    assert len(page.evaluate(RINGS)) == 2


def test_a_link_shows_the_same_picture_in_another_browser(view, server):
    study = add("linked", fakes.trials(study="linked"))
    page = view(f"/?study={study}&x=download_bytes&third=color&find=static")
    page.locator("[data-testid=stButtonGroup]").get_by_text("Accuracy", exact=True).click()
    page.wait_for_url(re.compile("goal="))
    page.get_by_role("slider", name="Maximum latency").press("ArrowLeft")
    page.wait_for_url(re.compile("latency_s_at_most="))
    tick_row(page, 1, "trial=t0001")
    tick_row(page, 3, "trial=t0003.*ticked=")
    zoom(page)
    page.wait_for_url(re.compile("zoom="))
    settled(page)
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Create link").click()
    code = page.locator("[data-testid=stPopoverBody] code").filter(has_text="?link=").first
    code.wait_for()
    address = code.inner_text()
    assert re.fullmatch(re.escape(server.address) + r"/\?link=[\w-]{22,}", address)
    page.keyboard.press("Escape")
    page.reload()  # the toast and the open popover are no part of the view
    settled(page)
    shared = view(address.removeprefix(server.address))
    assert points(page).keys() == points(shared).keys()
    assert page.evaluate(RANGES) == shared.evaluate(RANGES)
    assert sorted(page.evaluate(RINGS)) == sorted(shared.evaluate(RINGS))
    assert ImageChops.difference(picture(page), picture(shared)).getbbox() is None
    assert shared.get_by_role("link", name="New sweep").count() == 0
    assert (
        shared.get_by_role("button", name=re.compile("Run again|Share|Export|Note|Cancel")).count()
        == 0
    )

    lab.revoke_link(lab.links(study)[0].token)
    gone = view(address.removeprefix(server.address))
    gone.get_by_text("This link was revoked").wait_for()
    assert gone.locator(".lab-chart").count() == 0


def test_a_link_shows_its_study_only(view, server):
    mine, other = (
        add("mine", fakes.trials(study="mine")),
        add("other", fakes.trials(study="other", count=30)),
    )
    token = lab.create_link(mine).token
    page = view(f"/?link={token}&study={other}")
    points(page)
    assert all(id_.endswith("-mine") for id_ in page.evaluate(WHERE))
    assert "t0025-other" not in page.content()
    page = view(f"/sweep?link={token}")
    assert page.get_by_role("button", name="Start").count() == 0


def test_five_new_results_leave_zoom_filter_and_ticks_alone(view, server):
    trials = fakes.trials(study="live", failed=0)
    waiting = [replace(t, state="queued", measurements={}, artifact=None) for t in trials[8:]]
    study = add("live", [*trials[:8], *waiting], state="running")
    page = view(f"/?study={study}&on=ort&on=litert&find=a&ticked=2,4&trial=t0002-live")
    zoom(page)
    page.wait_for_url(re.compile("zoom="))
    settled(page)
    address, ranges, rings = page.url, page.evaluate(RANGES), page.evaluate(RINGS)
    shown = len(page.evaluate(WHERE))
    for n in range(UPDATES):
        records.update_trials(study, trials[8 + 2 * n : 10 + 2 * n])
        page.wait_for_function(f"Object.keys(({WHERE})()).length === {shown + 2 * (n + 1)}")
        assert page.evaluate(RANGES) == ranges
        assert page.evaluate(RINGS) == rings
        assert page.url == address
    filter_ = page.get_by_role("button", name=re.compile("Filter"))
    filter_.click()
    expect(page.get_by_label("Name contains")).to_have_value("a")


def zoom(page) -> None:
    """To the middle of the plot, both ways."""
    points(page)
    area = page.locator(".lab-chart .nsewdrag")
    area.evaluate("(e) => e.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(300)
    box = area.bounding_box()
    page.mouse.move(box["x"] + 0.03 * box["width"], box["y"] + 0.05 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 0.9 * box["height"], steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)


@pytest.mark.parametrize("kind", ["solid", "parallel", "multiples"])
def test_the_other_views_draw_every_trial(view, server, kind):
    study = add(f"seen-{kind}", fakes.trials(study=f"seen-{kind}"))
    page = view(f"/?study={study}&view={kind}&trial=t0003-seen-{kind}")
    page.wait_for_selector(".lab-chart.js-plotly-plot")
    count = "(t) => t.dimensions ? t.dimensions[0].values.length : (t.customdata ?? []).length"
    drawn = page.evaluate(
        f"() => document.querySelector('.lab-chart').data.map({count}).reduce((a, b) => a + b)"
    )
    assert drawn == sum(t.state == "complete" for t in lab.trials(study))
