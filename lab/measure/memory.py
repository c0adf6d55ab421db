"""Resident memory of this process, and its peak since a chosen moment.

A forked child shares its parent's pages, but the kernel does not copy the page tables of library
code, whose pages would count for the model at their first use. So they are all mapped before the
baseline is read (madvise(2), MADV_POPULATE_READ).
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path

MADV_POPULATE_READ = 22
STATUS, MAPS, SMAPS = Path("/proc/self/status"), Path("/proc/self/maps"), Path("/proc/self/smaps")


def start_watching() -> int:
    """Return the resident bytes after releasing free memory, mapping all library code and resetting
    the peak.
    """
    if not STATUS.exists():
        return peak_bytes()
    _give_back()
    _populate_libraries()
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    return _status_bytes("VmRSS")


def peak_bytes() -> int:
    """Return the peak of resident bytes since `start_watching` (since the process began if /proc is
    missing).
    """
    if STATUS.exists():
        return _status_bytes("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def mapped_bytes(path: str | Path) -> int | None:
    """Return the resident bytes of this process's mappings of a file; None if there are none, or if
    /proc is missing.

    Source: proc_pid_smaps(5).
    """
    real = os.path.realpath(path)
    if not MAPS.exists() or f" {real}\n" not in MAPS.read_text():
        return None
    mine, resident = False, 0
    for line in SMAPS.read_text().splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):
            mine = len(rest) == 5 and rest[4] == real
        elif mine and first == "Rss:":
            resident += int(rest[0]) * 1024
    return resident


def _status_bytes(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def _give_back() -> None:
    """Release memory that was freed but kept (malloc_trim(3)): its use by a model would not
    increase the resident bytes.
    """
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(ctypes.c_size_t(0))


def _populate_libraries() -> None:
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, mode, *rest = line.split()
        if ".so" in rest[-1] and mode.startswith("r"):
            low, high = (int(x, 16) for x in span.split("-"))
            libc.madvise(ctypes.c_void_p(low), ctypes.c_size_t(high - low), MADV_POPULATE_READ)
