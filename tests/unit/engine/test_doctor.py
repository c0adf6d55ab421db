"""The self-test alone on the machine, its outcome kept, and what it says of the lab."""

from __future__ import annotations

import fcntl
import json
import shutil
import threading
import time
from types import SimpleNamespace

import pytest

import lab
from lab import registry
from lab.engine import doctor, doctor_lab
from lab.engine.doctor import SelfTest
from lab.errors import JobCrashed, LabError
from lab.evidence import Roofline
from lab.measure.check import Check
from lab.plugs import Provider
from lab.store import records
from tests import fakes

ROOF = Roofline(1, {"float32": 1e11, "int8": 4e11}, {16_000: 2e11, 64_000_000: 4e10})
CHECKS = (Check("timer", "Timer", "ok", "Fine.", {"reading_s": 1e-7}, group="timing"),)


@pytest.fixture
def quick(lab_home, monkeypatch):
    """A self-test that measures nothing; what its measuring process was asked."""
    asked = []

    def run(module, arguments, workdir, environment, limit_s):
        asked.append((module, arguments, environment))
        return {"checks": [vars(c) for c in CHECKS]}

    monkeypatch.setattr(doctor, "run_module", run)
    monkeypatch.setattr(doctor, "measured_roofline", lambda threads: ROOF)
    monkeypatch.setattr(doctor, "LAB_CHECKS", (doctor_lab.disk,))
    return asked


def hold(file) -> object:
    """As another process would hold it."""
    handle = file.open("w")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def test_its_outcome_is_kept_and_read_back_whole(quick):
    assert lab.last_self_test() is None
    found = lab.doctor(5)
    assert [c.id for c in found] == ["timer", "roofline", "disk"]
    assert [(m, a) for m, a, _ in quick] == [("lab.measure.doctor", ["5"])]
    assert quick[0][2]["OPENBLAS_NUM_THREADS"] == "1"
    last = lab.last_self_test()
    assert last.checks == found
    assert last.rooflines[0] == ROOF
    assert SelfTest.from_json(json.loads(json.dumps(last.to_json()))) == last
    assert records.environment(last.environment)["machine"] == last.machine


def test_a_running_study_is_not_disturbed(quick):
    records.add_study(fakes.study(state="running"), lab.model("digits_lenet"), [])
    lab.doctor()  # nobody runs it: it was interrupted
    handle = hold(lab.home.home() / "engine.lock")
    with pytest.raises(LabError, match="A study is running"):
        lab.doctor()
    with pytest.raises(LabError, match="A study is running"):
        lab.start_self_test()
    handle.close()


def test_a_study_that_began_meanwhile_is_said(quick, monkeypatch):
    monkeypatch.setattr(doctor, "refuse_while_busy", lambda: None)
    monkeypatch.setattr(doctor, "busy", lambda: "study-1")
    assert lab.doctor()[0].id == "meanwhile"


def test_only_one_runs_at_a_time_and_every_process_sees_it(quick, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(doctor, "measured_roofline", lambda threads: go.wait(10) and ROOF)
    lab.start_self_test()
    assert 0 <= lab.self_test_progress() < 1
    with pytest.raises(LabError, match="running already"):
        lab.doctor()
    go.set()
    while lab.self_test_progress() is not None:
        time.sleep(0.01)
    until = time.monotonic() + 10
    while lab.last_self_test() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert lab.last_self_test().checks[0] == CHECKS[0]
    assert lab.self_test_failure() is None


def test_a_failure_in_the_background_is_told(quick, monkeypatch):
    def fails(*given):
        raise JobCrashed("lab.measure.doctor ended with status -9")

    monkeypatch.setattr(doctor, "run_module", fails)
    lab.start_self_test()
    until = time.monotonic() + 10
    while lab.self_test_failure() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert "status -9" in str(lab.self_test_failure())
    assert lab.last_self_test() is None


def test_the_roofline_in_a_sentence():
    found = doctor.roofline_check([ROOF])
    assert "100 GFLOP/s in float32, 400 GOP/s in int8" in found.text
    assert "200 GB/s on 16 kB, 40 GB/s on 64 MB" in found.text


def test_a_missing_package_names_what_lacks_it(lab_home, monkeypatch):
    lacking = SimpleNamespace(missing="some-runtime")
    monkeypatch.setattr(
        registry, "runtimes", lambda: {"fine": SimpleNamespace(missing=None), "far": lacking}
    )
    found = doctor_lab.plugs()
    assert (found.state, found.remedy) == ("warning", "pip install some-runtime.")
    assert "runtime far" in found.text


def test_providers_are_here_absent_or_broken(lab_home, monkeypatch):
    offered = {"one": (Provider("CPU", True, "built in"), Provider("NPU", False, "needs a driver"))}

    def ask(id_):
        if id_ == "two":
            raise LabError("Two cannot be asked")
        return offered[id_]

    monkeypatch.setattr(registry, "runtimes", lambda: {"one": SimpleNamespace(title="One")})
    monkeypatch.setattr(doctor_lab, "providers", ask)
    found = doctor_lab.execution_providers()
    assert (found.state, found.text) == ("ok", "One has CPU here, not NPU.")
    assert found.figures["absent"] == {"One: NPU": "needs a driver"}
    monkeypatch.setattr(
        registry,
        "runtimes",
        lambda: {"one": SimpleNamespace(title="One"), "two": SimpleNamespace(title="Two")},
    )
    assert doctor_lab.execution_providers().state == "warning"


def test_disk_and_database(lab_home, monkeypatch):
    assert doctor_lab.disk().figures["free_bytes"] == pytest.approx(
        shutil.disk_usage(lab_home).free, rel=0.1
    )
    assert (doctor_lab.database().state, doctor_lab.database().figures["kind"]) == ("ok", "SQLite")
    monkeypatch.setattr(
        doctor_lab.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000)
    )
    assert doctor_lab.disk().state == "warning"
    monkeypatch.setenv("LAB_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    assert doctor_lab.database().state == "warning"


def test_what_is_known_at_once_is_quick_and_loads_nothing(lab_home):
    start = time.perf_counter()
    found = lab.known_checks()
    assert time.perf_counter() - start < 2
    assert {c.id for c in found} == {"hardware", "versions", "plugs", "disk", "database"}
