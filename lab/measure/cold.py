"""Cold load and peak memory: each repetition in a process of its own, forked from one that has loaded only the runtime."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Mapping
from typing import Any

from lab.formats.feeding import fit_items
from lab.measure.memory import mapped_bytes, peak_bytes, start_watching
from lab.plugs import Array, Runtime

LIMIT_S = 120.0
LONGEST_MESSAGE = 4000
"""Well below what a pipe holds: the child must never wait for its reader, who waits for its end."""


def cold_start(runtime: Runtime, options: Mapping[str, Any], path: str, item: Array) -> dict[str, Any]:
    """Load a file and run it once in a forked child.

    Returns:
        {"cold_load_s", "peak_rss_bytes", "mapped_bytes" (of the file itself; None where it was copied), "arena_bytes" (None where
        the session tells none)} or {"error": {...}} where the child failed, crashed or hung.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _report(writer, runtime, options, path, item)
    os.close(writer)
    try:
        return _wait(child, reader)
    finally:
        os.close(reader)


def _report(writer: int, runtime: Runtime, options: Mapping[str, Any], path: str, item: Array) -> None:
    try:
        answer = _load_and_run(runtime, options, path, item)
    except BaseException as error:  # the parent must hear of anything, and the child must never return
        answer = {"error": {"type": type(error).__name__, "message": str(error)[:LONGEST_MESSAGE]}}
    os.write(writer, json.dumps(answer).encode())
    os._exit(0)


def _load_and_run(runtime: Runtime, options: Mapping[str, Any], path: str, item: Array) -> dict[str, Any]:
    before = start_watching()
    start = time.perf_counter()
    session = runtime.load(path, options)
    session.run(session.prepare(fit_items(item, session.input.shape)))
    cold_load_s = time.perf_counter() - start
    peak = peak_bytes()
    return {"cold_load_s": cold_load_s, "peak_rss_bytes": max(peak - before, 0), "mapped_bytes": mapped_bytes(path),
            "arena_bytes": _arena_bytes(session)}  # fmt: skip


def _arena_bytes(session: Any) -> int | None:
    """What a session that lays its tensors out itself tells about that (`arena_bytes()`); most have no such method."""
    tells = getattr(session, "arena_bytes", None)
    return None if tells is None else tells()


def _wait(child: int, reader: int) -> dict[str, Any]:
    ready, _, _ = select.select([reader], [], [], LIMIT_S)
    if not ready:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return {"error": {"type": "JobTimedOut", "message": f"Loading and one run took more than {LIMIT_S:.0f} s."}}
    text = os.read(reader, 1 << 20)
    _, status = os.waitpid(child, 0)
    if text:
        return dict(json.loads(text))
    code = os.waitstatus_to_exitcode(status)
    cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return {
        "error": {"type": "JobCrashed", "message": f"The runtime crashed while it loaded or ran the file ({cause})."}
    }
