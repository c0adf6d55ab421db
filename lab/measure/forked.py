"""Work in a forked child, which shares the loaded modules and isolates crashes and hangs."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

LONGEST_MESSAGE = 4000


def forked(work: Callable[[], dict[str, Any]], limit_s: float, what: str) -> dict[str, Any]:
    """Return the result of `work` after a round trip through JSON, or {"error": {...}} if the child
    failed, crashed or hung.

    Args:
        what: name of the work, as the end of "took more than 9 s for …" and "crashed in …".
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _report(writer, work)
    os.close(writer)
    try:
        return _wait(child, reader, limit_s, what)
    finally:
        os.close(reader)


def _report(writer: int, work: Callable[[], dict[str, Any]]) -> None:
    try:
        answer = work()
    except (
        BaseException
    ) as error:  # the parent must get every error, and the child must never return
        answer = {"error": {"type": type(error).__name__, "message": str(error)[:LONGEST_MESSAGE]}}
    text = json.dumps(answer).encode()
    while text:
        text = text[os.write(writer, text) :]
    os._exit(0)


def _wait(child: int, reader: int, limit_s: float, what: str) -> dict[str, Any]:
    text = _read(reader, time.monotonic() + limit_s)
    if text is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return {
            "error": {
                "type": "JobTimedOut",
                "message": f"It took more than {limit_s:.0f} s for {what}.",
            }
        }
    _, status = os.waitpid(child, 0)
    if text:
        return dict(json.loads(text))
    code = os.waitstatus_to_exitcode(status)
    cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return {"error": {"type": "JobCrashed", "message": f"The runtime crashed in {what} ({cause})."}}


def _read(reader: int, deadline: float) -> bytes | None:
    """Read until the child closes its end; None if that takes too long."""
    received = b""
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        if not (more := os.read(reader, 1 << 16)):
            return received
        received += more
