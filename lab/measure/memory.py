"""Resident memory of this process, and its peak since a moment of our choosing.

A forked child shares its parent's pages, but the kernel does not copy the page tables of library code: those pages would count
as the model's when first touched. So they are all mapped before the baseline is read (madvise(2), MADV_POPULATE_READ).
"""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path

MADV_POPULATE_READ = 22
STATUS = Path("/proc/self/status")


def start_watching() -> int:
    """Map all library code, forget the peak so far, and return the resident bytes to compare with."""
    if not STATUS.exists():
        return peak_bytes()
    _populate_libraries()
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    return _status_bytes("VmRSS")


def peak_bytes() -> int:
    """Most resident bytes since `start_watching` (since the process began where /proc is missing)."""
    if STATUS.exists():
        return _status_bytes("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status_bytes(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def _populate_libraries() -> None:
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, mode, *rest = line.split()
        if ".so" in rest[-1] and mode.startswith("r"):
            low, high = (int(x, 16) for x in span.split("-"))
            libc.madvise(ctypes.c_void_p(low), ctypes.c_size_t(high - low), MADV_POPULATE_READ)
