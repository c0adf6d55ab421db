"""The app as a person meets it: started by the command line, in headless Chromium."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from math import dist
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
START_S, STOP_S, TRIES = 60, 20, 4

POINTS = """() => {
  const g = document.querySelector(".lab-chart.js-plotly-plot"), r = g.getBoundingClientRect(), l = g._fullLayout;
  return g._fullData.flatMap((t) => (t.customdata ?? []).map((row, i) => [
    row[0], l.xaxis.d2p(t.x[i]) + l._size.l + r.left, l.yaxis.d2p(t.y[i]) + l._size.t + r.top]));
}"""
RANGES = """() => {
  const l = document.querySelector(".lab-chart.js-plotly-plot").layout; return [l.xaxis.range, l.yaxis.range].flat();
}"""


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """The LAB_HOME of the server."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def address(home) -> Iterator[str]:
    """The app's address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lab", "serve", "--headless", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "LAB_HOME": str(home)}, stdout=log, stderr=log
        )
    try:
        wait_for(f"http://localhost:{port}/_stcore/health", server)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(STOP_S)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}")


@pytest.fixture(scope="session")
def chromium():
    """A headless browser."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_at(chromium, address) -> Iterator[Callable]:
    """Opens a page in a browser profile of its own and collects what goes wrong in it."""
    problems: list[str] = []
    contexts = []

    def open_(path: str = "/", **settings: object):
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "requestfailed",
            lambda r: None if "localhost" in r.url else problems.append(f"asked for {r.url}"),
        )
        page.goto(address + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def settled(page) -> None:
    """Until the script of the page has run to its end."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(300)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def click_until(page, place: Callable[[], tuple[float, float]], address: str) -> None:
    """Click there until the address shows it: a live page may move things between looking and
    clicking.
    """
    for _ in range(TRIES):
        x, y = place()
        page.mouse.move(x, y)
        page.mouse.click(x, y)
        try:
            page.wait_for_url(re.compile(address), timeout=5_000)
        except playwright.TimeoutError:
            continue
        return
    raise AssertionError(f"{TRIES} clicks did not lead to {address}; the address is {page.url}")


def lonely(page) -> tuple[str, float, float]:
    """The trial whose marker is farthest from any other, so that a click cannot mean another one,
    and where it is.
    """
    at = points(page)

    def room(id_: str) -> float:
        return min((dist(at[id_], other) for name, other in at.items() if name != id_), default=0.0)

    id_ = max(at, key=room)
    return (id_, *at[id_])


def points(page) -> dict[str, tuple[float, float]]:
    """Trial id -> where its marker is on the screen."""
    page.wait_for_selector(".lab-chart.js-plotly-plot")
    return {id_: (x, y) for id_, x, y in page.evaluate(POINTS)}
