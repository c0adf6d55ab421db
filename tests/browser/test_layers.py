"""Layer by layer in the browser: a clicked bar is a ticked row, and a button makes a trial beside
the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.browser.conftest import ROOT, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def lab(home: Path, *words: str) -> str:
    environment = {**os.environ, "LAB_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "lab", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def asked(home: Path, address: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of a tiny model, swept by the server's engine, and the question which of its layers
    cost what.
    """
    folder = tmp_path_factory.mktemp("tiny")
    file, x = tiny.write_onnx(folder / "tiny.onnx"), tiny.items(200)
    y = tiny.answers("ort", file, x).argmax(axis=1)
    np.savez(folder / "tiny.npz", x_calibration=x, y_calibration=y, x_test=x, y_test=y)
    lab(
        home,
        "add",
        str(file),
        "--data",
        str(folder / "tiny.npz"),
        "--layout",
        "NHWC",
        "--name",
        "tiny",
    )
    spec = {
        "recipes": [[{"technique": "onnx_static_int8", "params": {}}]],
        "targets": [{"runtime": "ort"}],
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    lab(
        home,
        "sweep",
        "tiny",
        "--spec",
        str(folder / "spec.json"),
        "--json",
        str(folder / "out.json"),
    )
    result = json.loads((folder / "out.json").read_text())
    (trial,) = [t["id"] for t in result["trials"] if t["name"] == "static_wi8_ai8"]
    lab(home, "sensitivity", trial)
    return str(trial)


def test_a_clicked_bar_is_kept_in_float_beside_the_others(open_at, asked):
    page = open_at(f"/?study={asked.rpartition('-')[0]}&trial={asked}")
    settled(page)
    page.get_by_role("tab", name="Layers").click()
    page.get_by_role("button", name="Show layer by layer").click()
    page.get_by_role("heading", name="Layer by layer").wait_for()
    settled(page)
    keep = page.get_by_role("button", name="Keep in float")
    assert keep.is_disabled()
    box = page.locator(".lab-chart .barlayer .point path").first.bounding_box()
    assert box
    x, y = (
        box["x"] + box["width"] - 8,
        box["y"] + box["height"] / 2,
    )  # a logarithmic bar begins far to the left
    page.mouse.move(x - 3, y)  # Plotly clicks on what it saw hovered
    page.mouse.move(x, y, steps=5)
    page.locator(".lab-chart .hoverlayer .hovertext").wait_for()
    page.mouse.click(x, y)
    page.get_by_text("1 layer selected").wait_for()
    settled(page)
    keep.click()
    page.get_by_text("1 trial added to the study").wait_for()
    page.get_by_role("button", name="Show in the study").click()
    page.get_by_text("static_wi8_ai8_float_").first.wait_for(timeout=60_000)
    assert "trial=" in page.url


def test_the_order_is_in_the_address(open_at, asked):
    page = open_at("/layers")
    settled(page)
    page.get_by_role("radio", name="Network order").click()
    page.wait_for_url("**order=graph**")
    other = open_at(page.url.removeprefix(page.url.split("/layers")[0]))
    settled(other)
    assert other.get_by_role("radio", name="Network order").is_checked()
