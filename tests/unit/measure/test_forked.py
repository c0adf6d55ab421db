"""Work in a forked child: what it answers, and what becomes of one that fails, crashes, hangs or
has much to say.
"""

from __future__ import annotations

import os
import signal
import time

from lab.measure.forked import LONGEST_MESSAGE, forked


def test_the_answer_comes_back_however_long_it_is() -> None:
    text = "x" * 1_000_000
    assert forked(lambda: {"text": text, "pid": os.getpid() != os.getppid()}, 30.0, "talking") == {
        "text": text,
        "pid": True,
    }


def test_an_error_is_an_answer() -> None:
    def fail() -> dict[str, object]:
        raise ValueError("no such thing" * 1000)

    found = forked(fail, 30.0, "failing")["error"]
    assert found["type"] == "ValueError"
    assert len(found["message"]) == LONGEST_MESSAGE


def test_a_crash_names_its_signal() -> None:
    def crash() -> dict[str, object]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    assert forked(crash, 30.0, "profiling")["error"] == {
        "type": "JobCrashed",
        "message": "The runtime crashed in profiling (SIGKILL).",
    }


def test_a_hang_is_ended() -> None:
    start = time.monotonic()

    def hang() -> dict[str, object]:
        time.sleep(60)
        return {}

    assert forked(hang, 0.3, "profiling")["error"]["type"] == "JobTimedOut"
    assert time.monotonic() - start < 10
