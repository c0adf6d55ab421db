"""The roofline is measured once, and known ever after."""

from __future__ import annotations

import pytest

from lab.engine import roofline
from lab.errors import JobCrashed

FOUND = {
    "threads": 2,
    "flops": {"float32": 1e11},
    "bytes_per_s": {"16000": 1e11},
    "note": "",
    "source": "measured",
}


def test_it_is_measured_once_for_each_number_of_threads(lab_home, monkeypatch):
    asked = []
    monkeypatch.setattr(
        roofline, "_measure", lambda threads: asked.append(threads) or {**FOUND, "threads": threads}
    )
    assert roofline.known_roofline(2) is None
    assert [roofline.ensure_roofline(n).threads for n in (1, 2, 2, 1)] == [1, 2, 2, 1]
    assert asked == [1, 2]
    assert roofline.ensure_roofline(2).bytes_per_s == {16_000: 1e11}


def test_measured_again_the_best_is_kept(lab_home, monkeypatch):
    found = iter(
        [
            {**FOUND, "flops": {"float32": 1e11, "int8": 2e11}},
            {**FOUND, "flops": {"float32": 3e11}, "bytes_per_s": {"16000": 5e10}},
        ]
    )
    monkeypatch.setattr(roofline, "_measure", lambda threads: next(found))
    roofline.measured_roofline(2)
    again = roofline.measured_roofline(2)
    assert again == roofline.known_roofline(2)
    assert (again.flops, again.bytes_per_s) == ({"float32": 3e11}, {16_000: 1e11})


def test_it_belongs_to_the_environment(lab_home, monkeypatch):
    monkeypatch.setattr(roofline, "_measure", lambda threads: FOUND)
    roofline.ensure_roofline(2)
    monkeypatch.setattr(roofline, "fingerprint", lambda: {"machine": "another"})
    assert roofline.known_roofline(2) is None


def test_a_process_that_fails_says_why(lab_home, tmp_path):
    with pytest.raises(JobCrashed, match="No module named"):
        roofline.run_module("lab.nothing", [], tmp_path, {}, 30)
