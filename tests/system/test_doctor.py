"""The self-test as a command, measuring for real."""

from __future__ import annotations

import pytest

from tests.system.test_command_line import command

pytestmark = pytest.mark.slow
EVERY = {
    "timer", "steadiness", "a_a", "a_b", "contention", "pressure", "affinity", "virtual_machine",
    "clock", "temperature", "throttling", "energy", "features", "threads", "roofline", "hardware",
    "versions", "plugs", "disk", "database", "providers",
}  # fmt: skip


def test_it_prints_a_table_and_writes_json(tmp_path):
    run = command(tmp_path / "home", "doctor", "--repeat", "1", json_to=tmp_path / "doctor.json")
    assert run.status == 0, run.err
    checks = {c["id"]: c for c in run.result["checks"]}
    assert set(checks) - {"meanwhile"} == EVERY
    assert all(c["text"].endswith(".") for c in checks.values())
    assert checks["a_a"]["figures"]["repetitions"] == 1
    assert 0 < checks["a_b"]["figures"]["detection_limit"] < 1
    assert run.result["rooflines"][0]["flops"]["int8"] > 0
    assert all(c["title"] in run.out for c in checks.values())
    assert "21 checks" in run.out


def test_less_than_one_repetition_is_bad_usage(tmp_path):
    assert command(tmp_path, "doctor", "--repeat", "0").status == 2
