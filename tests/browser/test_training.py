"""A training while it runs, in the browser: its curve grows by itself, keeps the zoom, and lies on
the trial afterwards.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STEPS, BEGUN_MS, ENDED_MS = 12_000, 400_000, 420_000
SPEC = {
    "recipes": [
        [{"technique": "keras_fine_tune", "params": {"train_steps": STEPS, "batch_size": 32}}]
    ],
    "targets": [{"runtime": "ort"}],
    "rounds": 2,
}
LIVE = ".st-key-live_training .lab-chart.js-plotly-plot"
LAST_STEP = f"() => Math.max(...document.querySelector('{LIVE}').data.flatMap((t) => t.x))"
ZOOM = f"() => document.querySelector('{LIVE}').layout.xaxis.range"


@pytest.fixture(scope="module")
def training(home: Path, address: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a study that trains, run by the server's engine."""
    file = tmp_path_factory.mktemp("spec") / "spec.json"
    file.write_text(json.dumps(SPEC))
    code = (
        "import json, sys, lab; s = json.load(open(sys.argv[1])); from lab.spec.reading import"
        " spec_from_json as read; r = read({'model': 'digits_lenet', **s});"
        " print(lab.start(lab.make_spec('digits_lenet', space={}, recipes=r.recipes,"
        " targets=r.targets, rounds=2)))"
    )
    environment = {**os.environ, "LAB_HOME": str(home)}
    made = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"/?study={made.stdout.strip()}"


def test_the_curve_grows_keeps_the_zoom_and_stays_on_the_trial(open_at, training):
    page = open_at(training)
    page.wait_for_selector(LIVE, timeout=BEGUN_MS)
    page.get_by_text(re.compile(rf"step [\d,]+ of {STEPS:,}")).first.wait_for()
    zoom_in(page)
    zoomed = page.evaluate(ZOOM)
    first = page.evaluate(LAST_STEP)
    grown = wait_until(lambda: page.evaluate(LAST_STEP) > first)
    assert grown, f"the curve stayed at step {first}"
    assert page.evaluate(ZOOM) == zoomed
    assert zoomed[1] < STEPS
    page.locator(".st-key-live_training").wait_for(state="detached", timeout=ENDED_MS)
    settled(page)
    page.get_by_role("tab", name="Training").click()
    page.get_by_text(re.compile(f"{STEPS} steps of 32 items")).first.wait_for()
    page.wait_for_selector("[role=tabpanel] .lab-chart.js-plotly-plot")


def zoom_in(page) -> None:
    """Zoom to the first half of the losses, as a person does: what a script sets is not kept."""
    place = page.locator(f"{LIVE} .nsewdrag").first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.move(box["x"] + 0.02 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)


def wait_until(true, seconds: float = 60.0) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.5)
    return False
