"""Checks of the processor and its load from Linux's file systems. Each check reads below `root`, so
that tests can provide files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.measure.check import Check
from lab.measure.conditions import conditions, usable_cores
from lab.measure.energy import why_not, zones
from lab.measure.environment import FEATURES
from lab.processors._cpus import DOT_PRODUCTS, saturates

ROOT = Path("/")
WATCH_S = 0.5
HOT_C, MUCH_OTHER, MUCH_STEAL, MUCH_WAITING = 90.0, 0.05, 0.01, 5.0
Wait = Callable[[float], None]


def _text(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None


def _cpuinfo(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, _, value in (
        line.partition(":") for line in (_text(root / "proc/cpuinfo") or "").splitlines()
    ):
        found.setdefault(name.strip(), []).append(value.strip())
    return found


# --- the processor --------------------------------------------------------------------------------


def clock(root: Path = ROOT) -> Check:
    """Check the clock of the cores and its governor."""
    state = conditions(root / "sys", root / "proc")
    governor = state["governor"]
    mhz = [hertz / 1e6 for hertz in state["clock_hz"] or ()] or [
        float(text) for text in _cpuinfo(root).get("cpu MHz", ())
    ]
    figures = {"mhz_lowest": min(mhz), "mhz_highest": max(mhz)} if mhz else {}
    between = (
        f"{min(mhz):.0f}" + (f" to {max(mhz):.0f}" if max(mhz) - min(mhz) > 1 else "")
        if mhz
        else ""
    )
    now = f"The cores run at {between} MHz now. " if mhz else ""
    if not governor:
        return Check(
            "clock",
            "Clock",
            "unavailable",
            f"{now}The governor of the clock is not readable (no cpufreq), as in most virtual"
            " machines.",
            figures,
        )
    text, figures = f"{now}Governor: {governor}.", {**figures, "governor": governor}
    if governor != "performance":
        return Check(
            "clock",
            "Clock",
            "warning",
            f"{text} Cores slow down when idle and need time to speed up.",
            figures,
            "Set a fixed clock for measurements: sudo cpupower frequency-set -g performance.",
        )
    return Check("clock", "Clock", "ok", text, figures)


def temperature(root: Path = ROOT) -> Check:
    """Check the temperature."""
    hottest = conditions(root / "sys", root / "proc")["temperature_c"]
    if hottest is None:
        return Check(
            "temperature",
            "Temperature",
            "unavailable",
            "No temperature sensor is readable (no /sys/class/thermal zones), as in most virtual"
            " machines.",
        )
    hot = hottest >= HOT_C
    return Check(
        "temperature",
        "Temperature",
        "warning" if hot else "ok",
        f"The hottest sensor shows {hottest:.0f} °C.",
        {"hottest_c": hottest},
        "Let it cool down before measuring, because a hot processor lowers its clock."
        if hot
        else "",
    )


def throttling(root: Path = ROOT) -> Check:
    """Check whether heat has lowered the clock since the machine was started."""
    total = conditions(root / "sys", root / "proc")["throttled"]
    if total is None:
        return Check(
            "throttling",
            "Throttling",
            "unavailable",
            "The system does not count thermal throttling (no thermal_throttle).",
        )
    text = (
        f"Heat has lowered the clock {total:,.0f} times since the start."
        if total
        else "Heat has not lowered the clock since the start."
    )
    return Check(
        "throttling",
        "Throttling",
        "warning" if total else "ok",
        text,
        {"throttled": total},
        "Improve the cooling, or measure with pauses." if total else "",
    )


def virtual_machine(root: Path = ROOT) -> Check:
    """Check whether other machines may share the processor."""
    flags = " ".join(_cpuinfo(root).get("flags", ())[:1]).split()
    product = _text(root / "sys/class/dmi/id/product_name") or ""
    container = any((root / name).exists() for name in (".dockerenv", "run/.containerenv"))
    virtual = "hypervisor" in flags or "virtual" in product.lower() or "kvm" in product.lower()
    where = (
        ("A virtual machine" if virtual else "No virtual machine")
        + (f" ({product})" if product else "")
        + (", in a container" if container else "")
    )
    text = f"{where}. " + (
        "Other machines on the same host may slow it down without being visible here; the check of"
        " steady speed shows their effect."
        if virtual
        else "No hidden machine shares its processor."
    )
    return Check(
        "virtual_machine",
        "Virtual machine",
        "ok",
        text,
        {"virtual": virtual, "container": container, "product": product},
    )


def features(root: Path = ROOT) -> Check:
    """Check the instructions that matter for compressed models."""
    info = _cpuinfo(root)
    flags = (info.get("flags") or info.get("Features") or [""])[0].split()
    return instruction_sets([name for name in FEATURES if name in flags])


def instruction_sets(names: list[str]) -> Check:
    """Describe the effect of CPU features on compressed models."""
    dots, half, brain = (
        sorted(DOT_PRODUCTS & set(names)),
        {"avx512_fp16", "fphp"} & set(names),
        {"avx512_bf16", "bf16"} & set(names),
    )
    texts = [
        (
            f"One instruction adds 8-bit products ({', '.join(dots)}), so int8 can be up to four"
            " times as fast as float."
            if dots
            else "No instruction adds 8-bit products, so int8 models are smaller but rarely faster."
        ),
        (
            "Unsigned by signed 8-bit products can saturate in ONNX Runtime."
            if saturates(names)
            else ""
        ),
        (
            "16-bit float arithmetic is available."
            if half
            else "16-bit floats can only be stored; they are computed as 32-bit floats."
        ),
        "bfloat16 products are available." if brain else "bfloat16 products are not available.",
    ]
    figures = {
        "features": list(names),
        "int8_dot_product": bool(dots),
        "float16": bool(half),
        "bfloat16": bool(brain),
    }
    return Check(
        "features",
        "Instruction sets",
        "ok" if dots else "warning",
        " ".join(t for t in texts if t),
        figures,
        (
            ""
            if dots
            else (
                "Expect smaller rather than faster models from int8, or measure on the target"
                " device."
            )
        ),
        "computing",
    )


def energy(root: Path = ROOT) -> Check:
    """Check whether energy can be measured."""
    powercap = root / "sys/class/powercap"
    if reason := why_not(powercap):
        remedy = (
            "As root: chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj."
            if "root" in reason
            else ""
        )
        return Check(
            "energy",
            "Energy",
            "unavailable",
            f"{reason} Trials have no energy measurement.",
            {},
            remedy,
        )
    return Check(
        "energy",
        "Energy",
        "ok",
        f"Energy counters exist for {', '.join(z.name for z in zones(powercap))}.",
        {"packages": len(zones(powercap))},
    )


# --- the share of this process --------------------------------------------------------------------


def affinity(root: Path = ROOT) -> Check:
    """Check the number of cores that this process may use."""
    online = len(list(root.glob("sys/devices/system/cpu/cpu[0-9]*"))) or os.cpu_count() or 1
    mine = len(usable_cores())
    limit = cpu_limit(root)
    figures = {"cores": online, "allowed": mine, "limit": limit}
    if limit is not None and limit < mine:
        return Check(
            "affinity",
            "Cores",
            "warning",
            f"A control group allows the time of {limit:g} of {mine} cores; calls pause when it is"
            " used up.",
            figures,
            "Raise the container's CPU limit to whole cores, or pin it (docker run --cpuset-cpus).",
        )
    if mine < online:
        return Check(
            "affinity",
            "Cores",
            "warning",
            f"This process may use {mine} of {online} cores.",
            figures,
            "If this is not intended (taskset), start the lab without it.",
        )
    return Check(
        "affinity",
        "Cores",
        "ok",
        f"All {online} cores may be used without a limit of CPU time.",
        figures,
    )


def cpu_limit(root: Path = ROOT) -> float | None:
    """Return the CPU time that the control group allows, in cores; None if unlimited (cgroup v2,
    then v1).
    """
    quota, _, period = (_text(root / "sys/fs/cgroup/cpu.max") or "max").partition(" ")
    if quota == "max":
        quota = _text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us") or "-1"
        period = _text(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us") or "100000"
    return int(quota) / int(period) if int(quota) > 0 else None


def contention(root: Path = ROOT, wait: Wait = time.sleep) -> Check:
    """Check the load of other programs, and the time that the host gives to other machines
    (proc(5), /proc/stat).
    """
    before, mine = _ticks(root), time.process_time()
    if not before:
        return Check(
            "contention",
            "Other programs",
            "unavailable",
            "The load is not readable (no /proc/stat).",
        )
    wait(WATCH_S)
    passed = {name: n - before[name] for name, n in _ticks(root).items()}
    total = max(sum(passed.values()), 1)
    idle = passed["idle"] + passed["iowait"]
    used_here = (time.process_time() - mine) * os.sysconf("SC_CLK_TCK")
    others, steal = (
        max(total - idle - passed["steal"] - used_here, 0.0) / total,
        passed["steal"] / total,
    )
    load = (_text(root / "proc/loadavg") or "").split()[:1]
    figures = {
        "others_share": others,
        "steal_share": steal,
        "load_1min": float(load[0]) if load else None,
    }
    text = (
        f"Other programs take {100 * others:.0f} % of the cores' time now; the host takes"
        f" {100 * steal:.1f} %"
    )
    text += f"; load average {load[0]}." if load else "."
    if others > MUCH_OTHER or steal > MUCH_STEAL:
        return Check(
            "contention",
            "Other programs",
            "warning",
            text,
            figures,
            "Stop other programs, or measure later: contended rounds are repeated only a limited"
            " number of times.",
        )
    return Check("contention", "Other programs", "ok", text, figures)


_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def _ticks(root: Path) -> Mapping[str, int]:
    line = (_text(root / "proc/stat") or "").partition("\n")[0].split()[1 : 1 + len(_COLUMNS)]
    return dict(zip(_COLUMNS, map(int, line), strict=False))


def pressure(root: Path = ROOT) -> Check:
    """Check whether Linux reports how long programs wait for a processor (PSI), which detects
    contended rounds.
    """
    text = _text(root / "proc/pressure/cpu")
    if text is None:
        return Check(
            "pressure",
            "Waiting for a processor",
            "unavailable",
            "Linux does not report how long programs wait (no /proc/pressure), so contention is"
            " detected only from CPU time over wall time.",
            {},
            "Start Linux with psi=1 if possible.",
        )
    figures: dict[str, Any] = {
        name: float(value)
        for name, _, value in (part.partition("=") for part in text.splitlines()[0].split()[1:])
    }
    waiting = figures["avg10"]
    much = waiting > MUCH_WAITING
    return Check(
        "pressure",
        "Waiting for a processor",
        "warning" if much else "ok",
        f"A program waited for a processor during {waiting:.1f} % of the last 10 s.",
        {"waiting_10s_percent": waiting},
        "Stop other programs, or measure later." if much else "",
    )
