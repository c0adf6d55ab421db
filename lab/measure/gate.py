"""Detection of timing turns that were disturbed by other programs or by a temporarily slower
processor.

Three signals are used. *CPU time over wall time* falls if this process had to share a core.
*Pressure* (Linux PSI, Documentation/accounting/psi.rst) is the time in microseconds that any task
waited for a CPU; with as many threads as cores it detects what the ratio hides. *Pace*: a fixed
loop before and after each turn takes longer if the clock was lowered, the processor was hot, or
another machine on the same host was busy, which a virtual machine cannot see otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MINIMUM_CPU_RATIO = 0.9
MOST_WAITING = 0.05
SLOWEST_PACE = 1.15
USUAL = 0.5
"""Quantile of a variant's own turns that defines its usual pace. On a host that is slow most of the
time, the few fast turns are the exception; as the reference, they would leave too few turns for
comparisons.
"""
PRESSURE = Path("/proc/pressure/cpu")
PACE_LOOPS = 5000


def pace_s() -> float:
    """Return the seconds of a fixed loop of about 0.2 ms that uses only the core."""
    start, total = time.perf_counter(), 0
    for i in range(PACE_LOOPS):
        total += i * i
    return time.perf_counter() - start


def waited_s(path: Path = PRESSURE) -> float | None:
    """Return the seconds since the start of the machine in which some task had to wait for a CPU;
    None if the kernel does not report them.
    """
    try:
        with path.open() as file:
            return int(file.readline().rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return None


class Watch:
    """Watch over one turn: create it before the turn, call `seen` afterwards."""

    def __init__(self) -> None:
        self._pace = pace_s()
        self._waited, self._cpu, self._wall = waited_s(), time.process_time(), time.perf_counter()

    def seen(self) -> dict[str, Any]:
        """Return {"cpu_ratio", "waiting" (share of the time in which a task waited for a CPU, or
        None), "pace_s"}.
        """
        wall = time.perf_counter() - self._wall
        cpu, waited = time.process_time() - self._cpu, waited_s()
        waiting = None if waited is None or self._waited is None else (waited - self._waited) / wall
        return {"cpu_ratio": cpu / wall, "waiting": waiting, "pace_s": (self._pace + pace_s()) / 2}


def disturbances(turns: Sequence[Mapping[str, Any]], threads: int, cores: int) -> list[str]:
    """Return the disturbance of each turn of one variant: "shared CPU", "slow processor", or "" for
    none.

    Args:
        turns: results of `Watch.seen` for all turns of one variant.
        threads: number of threads of the runtime. The CPU ratio of several threads depends on the
            model, so it is calibrated on the variant's own best turn; one thread must have all of a
            core.
        cores: number of cores that this process may use.
    """
    best = max(t["cpu_ratio"] for t in turns)
    expected = max(best, 1.0) if threads == 1 else min(best, float(threads))
    usual = sorted(t["pace_s"] for t in turns)[int(USUAL * len(turns))]
    return [_disturbance(t, MINIMUM_CPU_RATIO * expected, usual, threads <= cores) for t in turns]


def _disturbance(turn: Mapping[str, Any], least_ratio: float, usual: float, room: bool) -> str:
    crowded = (
        room and (turn["waiting"] or 0.0) > MOST_WAITING
    )  # threads in excess of the cores wait for each other
    if turn["cpu_ratio"] < least_ratio or crowded:
        return "shared CPU"
    return "slow processor" if turn["pace_s"] > SLOWEST_PACE * usual else ""
