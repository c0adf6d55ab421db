"""State of the machine during a measurement, as far as it is readable: virtual machines often hide
clock and temperature.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SYS = Path("/sys")
PROC = Path("/proc")


def conditions(sys: Path = SYS, proc: Path = PROC) -> dict[str, Any]:
    """Return load, clock, governor, temperature and throttling; None for unreadable ones.

    Args:
        sys, proc: mount points of those file systems.

    Returns:
        load: mean number of runnable processes in the last minute.
        cores: numbers of the cores that this process may use.
        clock_hz: current clock of each core.
        governor: governor of the first core.
        temperature_c: temperature of the hottest thermal zone.
        throttled: number of times that cores were slowed down by heat since the start.
    """
    cpus = sorted((sys / "devices/system/cpu").glob("cpu[0-9]*"))
    clocks = [
        hertz * 1e3
        for cpu in cpus
        if (hertz := _number(cpu / "cpufreq/scaling_cur_freq")) is not None
    ]
    zones = [
        t / 1e3
        for zone in (sys / "class/thermal").glob("thermal_zone*")
        if (t := _number(zone / "temp")) is not None
    ]
    slowed = [
        n
        for cpu in cpus
        if (n := _number(cpu / "thermal_throttle/core_throttle_count")) is not None
    ]
    return {
        "load": _load(proc),
        "cores": usable_cores(),
        "clock_hz": clocks or None,
        "governor": _text(sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "temperature_c": max(zones, default=None),
        "throttled": sum(slowed) if slowed else None,
    }


def _load(proc: Path) -> float | None:
    text = _text(proc / "loadavg")
    return float(text.split()[0]) if text else None


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use; all cores if the system has no
    affinity.
    """
    return (
        sorted(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else list(range(os.cpu_count() or 1))
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> float | None:
    text = _text(path)
    try:
        return float(text) if text else None
    except ValueError:
        return None
