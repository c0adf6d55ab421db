"""Cold starts in forked children, with runtimes that misbehave."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.measure import cold
from lab.measure.cold import cold_start
from lab.plugs import Array, Runtime, Session, TensorInfo

ROOT = Path(__file__).resolve().parents[3]
ITEM = np.zeros((1, 4), "float32")


class Answering:
    """A session that gives its input back."""

    input = output = TensorInfo((None, 4), "float32")

    def prepare(self, x: Array) -> Array:
        return x

    def run(self, x: Array) -> Array:
        return x


def runtime(load: Callable[[], None]) -> Runtime:
    """A runtime whose loading does something."""

    def loaded(path: str, options: Mapping[str, Any]) -> Session:
        load()
        return Answering()

    return Runtime("fake", "Fake", "h", ("onnx",), lambda: None, loaded)


def start(load: Callable[[], None]) -> dict[str, Any]:
    return cold_start(runtime(load), {}, "x.onnx", ITEM)


def fail() -> None:
    raise ValueError("odd weights " * 20_000)


def test_time_is_measured() -> None:
    found = start(lambda: time.sleep(0.05))
    assert 0.05 <= found["cold_load_s"] < 1.0
    assert found["peak_rss_bytes"] >= 0


def test_an_error_is_named_however_long_it_is() -> None:
    error = start(fail)["error"]
    assert error["type"] == "ValueError"
    assert error["message"].startswith("odd weights")


def test_a_crash_is_named() -> None:
    error = start(lambda: ctypes.string_at(0))["error"]
    assert error["type"] == "JobCrashed"
    assert "SIGSEGV" in error["message"]


def test_an_exit_is_named() -> None:
    assert "exit status 3" in start(lambda: os._exit(3))["error"]["message"]


def test_a_hang_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "LIMIT_S", 0.3)
    began = time.monotonic()
    assert start(lambda: time.sleep(60))["error"]["type"] == "JobTimedOut"
    assert time.monotonic() - began < 5


ALLOCATE = """
import os, sys, json
import numpy as np
from lab.measure.memory import peak_bytes, start_watching
reader, writer = os.pipe()
if os.fork() == 0:
    before = start_watching()
    kept = np.ones({megabytes} * 2**20, dtype=np.uint8)
    if {freed}:
        del kept
    os.write(writer, json.dumps(peak_bytes() - before).encode())
    os._exit(0)
os.wait()
print(os.read(reader, 100).decode())
"""


@pytest.mark.parametrize("freed", [False, True])
def test_memory_of_a_forked_child_is_seen(freed: bool) -> None:
    """Also what was given back before the end, and within a tenth."""
    code = ALLOCATE.format(megabytes=50, freed=freed)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pytest.approx(50 * 2**20, rel=0.1)


def test_memory_of_a_child_that_does_nothing_is_nearly_none() -> None:
    code = ALLOCATE.format(megabytes=0, freed=False)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2**20


MEGABYTES = 50


class Holding(Answering):
    """A session that keeps what it allocated, and says how much it laid out."""

    def __init__(self) -> None:
        self.kept = np.ones(MEGABYTES * 2**20, np.uint8)

    def arena_bytes(self) -> int:
        return 123


def test_what_a_runtime_keeps_is_its_peak() -> None:
    """Within a twentieth, though this process has freed as much before and the allocator may have
    kept it.
    """
    freed = [bytes(40_000) for _ in range(1_500)]
    del freed
    found = cold_start(
        Runtime("fake", "Fake", "h", ("onnx",), lambda: None, lambda path, options: Holding()),
        {},
        "x.onnx",
        ITEM,
    )
    assert found["peak_rss_bytes"] == pytest.approx(MEGABYTES * 2**20, rel=0.05)
    assert found["arena_bytes"] == 123


@pytest.mark.parametrize("mapped", [True, False])
def test_a_mapped_file_is_told_from_a_copied_one(mapped: bool, tmp_path: Path) -> None:
    """Of 40 pages, 10 are read."""
    file, pages = tmp_path / "model.bin", 40
    file.write_bytes(bytes(pages * mmap.PAGESIZE))

    def load(path: str, options: Mapping[str, Any]) -> Session:
        session = Answering()
        if mapped:
            session.kept = np.memmap(path, np.uint8, "r")  # type: ignore[attr-defined]
            session.kept[: 10 * mmap.PAGESIZE].sum()  # type: ignore[attr-defined]
        else:
            session.kept = Path(path).read_bytes()  # type: ignore[attr-defined]
        return session

    found = cold_start(
        Runtime("fake", "Fake", "h", ("onnx",), lambda: None, load), {}, str(file), ITEM
    )
    assert found["arena_bytes"] is None
    if mapped:
        assert 10 * mmap.PAGESIZE <= found["mapped_bytes"] <= pages * mmap.PAGESIZE
    else:
        assert found["mapped_bytes"] is None
