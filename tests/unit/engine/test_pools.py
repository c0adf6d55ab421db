"""Warm pools of worker processes."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.engine.pools import Pools


@pytest.fixture
def pools(lab_home: Path) -> Iterator[Pools]:
    made = Pools()
    yield made
    made.stop()


def workers() -> set[int]:
    return {
        p.pid
        for p in psutil.Process().children(recursive=True)
        if "spawn_main" in " ".join(p.cmdline())
    }


@pytest.mark.slow
def test_workers_outlive_the_thread_that_started_them(pools: Pools) -> None:
    """A study's thread warms a pool and ends; the imports of its workers must not be lost with
    it.
    """
    before = workers()
    thread = threading.Thread(target=pools.warm, args=("light",))
    thread.start()
    thread.join()
    time.sleep(0.5)
    started = workers() - before
    time.sleep(1)
    assert started
    assert started <= workers()
