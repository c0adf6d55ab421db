"""Cold load and peak memory: each repetition runs in a process forked from one that has loaded only
the runtime.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from lab.formats.feeding import fit_items
from lab.measure.forked import forked
from lab.measure.memory import mapped_bytes, peak_bytes, start_watching
from lab.plugs import Array, Runtime

LIMIT_S = 120.0


def cold_start(
    runtime: Runtime, options: Mapping[str, Any], path: str, item: Array
) -> dict[str, Any]:
    """Load a file and run it once in a forked child.

    Returns:
        {"cold_load_s", "peak_rss_bytes", "mapped_bytes" (of the file itself; None if it was
        copied), "arena_bytes" (None if the session has none)} or {"error": {...}} if the child
        failed, crashed or hung.
    """
    return forked(
        partial(_load_and_run, runtime, options, path, item), LIMIT_S, "loading and one run"
    )


def _load_and_run(
    runtime: Runtime, options: Mapping[str, Any], path: str, item: Array
) -> dict[str, Any]:
    before = start_watching()
    start = time.perf_counter()
    session = runtime.load(path, options)
    session.run(session.prepare(fit_items(item, session.input.shape)))
    cold_load_s = time.perf_counter() - start
    peak = peak_bytes()
    return {
        "cold_load_s": cold_load_s,
        "peak_rss_bytes": max(peak - before, 0),
        "mapped_bytes": mapped_bytes(path),
        "arena_bytes": _arena_bytes(session),
    }


def _arena_bytes(session: Any) -> int | None:
    """Return `arena_bytes()` of a session that reports its tensor arena; most sessions have no such
    method.
    """
    tells = getattr(session, "arena_bytes", None)
    return None if tells is None else tells()
