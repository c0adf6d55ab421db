"""The page of this machine: never tested, while it is tested, tested, refused."""

from __future__ import annotations

import pytest

import lab
from lab.engine import doctor
from lab.engine.doctor import SelfTest
from lab.errors import LabError
from lab.evidence import Roofline
from lab.measure.check import Check
from lab.store import records
from tests.pages.test_study import text_of

ROOFS = tuple(
    Roofline(n, {"float32": n * 1e11, "int8": n * 4e11}, {16_000: 2e11, 64_000_000: 4e10})
    for n in (1, 2)
)
CHECKS = (
    Check("timer", "Timer", "ok", "Reading takes 70 ns.", {"reading_s": 7e-8}, group="timing"),
    Check(
        "steadiness",
        "Steadiness",
        "warning",
        "It varies by 40 %.",
        {"spread": 0.4},
        "Stop what else runs.",
        "timing",
    ),
    Check("energy", "Energy", "unavailable", "There are no counters.", group="machine"),
    Check(
        "threads",
        "Threads",
        "ok",
        "2 threads are 1.9 times as fast.",
        {"speedup": {"1": 1.0, "2": 1.9}},
        group="computing",
    ),
)


@pytest.fixture
def tested(own_lab) -> SelfTest:
    found = SelfTest("2026-11-24T10:00:00+00:00", "here", "env", 21.0, CHECKS, ROOFS)
    records.remember_result(doctor._key(), "doctor", found.to_json(), found.seconds)
    return found


def button(app):
    return next(b for b in app.button if b.label == "Test this machine")


def test_never_tested_it_says_what_a_test_does_and_what_is_known(open_page):
    app = open_page("doctor")
    assert not app.exception
    assert "Not tested yet." in text_of(app)
    assert "**Versions**" in text_of(app)
    assert "**Disk**" in text_of(app)
    assert not button(app).disabled


def test_the_last_test_is_shown_with_its_warnings_and_plots(open_page, tested):
    app = open_page("doctor")
    assert not app.exception
    shown = text_of(app)
    assert "Tested 24 Nov 2026, 10:00 UTC, in 21 s, on here." in shown
    assert "**1 warning:** steadiness. 1 value cannot be read on this machine." in shown
    assert "Stop what else runs" in shown
    assert [s.value for s in app.subheader] == [
        "Timing quality",
        "Processor and load",
        "Compute capabilities",
        "Roofline",
        "More threads",
    ]
    assert len(app.dataframe[0].value) == 3


def test_the_button_begins_a_test_in_the_background(open_page, tested, monkeypatch):
    running = [None]
    monkeypatch.setattr(lab, "self_test_progress", lambda: running[0], raising=False)
    monkeypatch.setattr(lab, "start_self_test", lambda: running.__setitem__(0, 0.25), raising=False)
    app = open_page("doctor")
    button(app).click().run()
    assert not app.exception
    assert button(app).disabled
    assert "**Timer**" in text_of(app)
    running[0] = None
    app.run()
    assert not button(app).disabled


def test_a_refusal_says_why(open_page, monkeypatch):
    def refuse():
        raise LabError("A study is running", remedy="Wait until it is finished")

    monkeypatch.setattr(lab, "start_self_test", refuse, raising=False)
    app = open_page("doctor")
    button(app).click().run()
    assert not app.exception
    assert "A study is running. Wait until it is finished." in app.warning[0].value.replace(
        "\\", ""
    )


def test_a_test_that_came_to_nothing_says_why(open_page, monkeypatch):
    monkeypatch.setattr(
        lab, "self_test_failure", lambda: LabError("lab.measure.doctor crashed"), raising=False
    )
    assert "crashed" in open_page("doctor").warning[0].value
