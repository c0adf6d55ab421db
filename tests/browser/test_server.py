"""The running server: what it never loads, what a kill costs, two people at once, closed tabs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import lab
from lab.types import Study
from tests.browser.conftest import ROOT, settled, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEAVY = ("torch", "tensorflow", "onnxruntime", "openvino", "nncf", "ai_edge_litert", "jax", "keras")
FINISH_S = 180
MUCH = {
    "onnx_static_int8": {
        "scheme": ["u8s8", "s8s8", "u8u8"],
        "per_channel": [False, True],
        "reduce_range": [False, True],
        "method": ["minmax", "entropy", "percentile"],
        "calibration_samples": [32, 128, 512],
    },
    "onnx_dynamic_int8": {
        "per_channel": [False, True],
        "reduce_range": [False, True],
        "weight_type": ["uint8", "int8"],
    },
    "onnx_fp16": {},
}
"""What keeps a server busy for a while, and of which every trial completes."""


class Server:
    """`python -m lab serve` in a process group of its own."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.home, self.address = home, f"http://localhost:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "lab", "serve", "--headless", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "LAB_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(f"{self.address}/_stcore/health", self.process)

    def kill(self) -> None:
        """kill -9 of the server itself; its workers must notice by themselves."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def loaded(self) -> list[str]:
        """Libraries of ML frameworks that are mapped into the web process."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        return [name for name in HEAVY if f"/{name}/" in maps]


@pytest.fixture
def server(small_card, lab_home, monkeypatch):
    """A server whose lab knows the small model; this process queues studies in it and runs none
    itself.
    """
    monkeypatch.setattr("lab.api._studies.ensure_engine", lambda: None)
    made = Server(lab_home)
    yield made
    made.process.terminate()
    made.process.wait(20)


def finished(study_id: str) -> Study:
    until = time.monotonic() + FINISH_S
    while (study := lab.study(study_id)).state not in ("complete", "failed", "cancelled"):
        assert time.monotonic() < until, lab.progress(study_id)
        time.sleep(0.1)
    return study


def test_a_killed_server_finishes_its_study_when_it_starts_again(server):
    id_ = lab.start(lab.make_spec("small", space=MUCH, targets=["ort"], rounds=3))
    while lab.progress(id_).total and not [j for j in lab.jobs(id_) if j["kind"] == "build"]:
        time.sleep(0.05)
    server.kill()
    before = lab.jobs(id_)
    server.start()
    assert finished(id_).state == "complete"
    trials = lab.trials(id_)
    assert {t.state for t in trials} == {"complete"}
    assert [t.position for t in trials] == list(range(len(trials)))
    built = Counter(j["key"] for j in lab.jobs(id_) if j["kind"] == "build")
    assert before
    assert set(built.values()) == {1}, "a finished step was repeated"


def test_the_web_process_loads_no_framework(server, open_page):
    id_ = lab.start(lab.make_spec("small", "quick"))
    finished(id_)
    for path in (f"/?study={id_}", "/models", "/sweep?model=small", "/doctor"):
        settled(open_page(server.address + path))
    assert server.loaded() == []


def test_two_people_start_at_once_and_nothing_builds_while_something_is_timed(server, open_page):
    pages = [open_page(f"{server.address}/sweep?model=small") for _ in range(2)]
    for page in pages:
        page.get_by_role("button", name="Start").wait_for()
    for page in pages:
        page.get_by_role("button", name="Start").click()
    for page in pages:
        page.get_by_text("Best pick:").wait_for(timeout=FINISH_S * 1000)
    studies = lab.studies()[:2]
    assert [finished(s.id).state for s in studies] == ["complete"] * 2
    jobs = lab.jobs()
    timed = [j for j in jobs if j["kind"] == "measure"]
    others = [j for j in jobs if j["kind"] != "measure"]
    assert timed
    assert not [
        (a, b)
        for a in timed
        for b in others
        if a["started_at"] < b["finished_at"] and b["started_at"] < a["finished_at"]
    ]


def test_refresh_a_second_tab_and_a_closed_tab_stop_nothing(server, open_page):
    id_ = lab.start(lab.make_spec("small", space=MUCH, targets=["ort"], rounds=3))
    page = open_page(f"{server.address}/?study={id_}")
    page.get_by_role("button", name="Cancel").wait_for()
    page.reload()
    page.get_by_role("button", name="Cancel").wait_for()
    second = page.context.new_page()
    second.goto(f"{server.address}/?study={id_}")
    page.close()
    second.get_by_text("Best pick:").wait_for(timeout=FINISH_S * 1000)
    second.context.close()
    assert finished(id_).state == "complete"


@pytest.fixture
def open_page(chromium):
    """Opens an address in a browser profile of its own."""
    contexts = []

    def open_(url: str):
        contexts.append(chromium.new_context(viewport={"width": 1366, "height": 768}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
