"""The machine and the versions of its packages: unlike environments never share a front."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lab import registry
from lab.plugs import Runtime, Technique

FEATURES = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "asimddp",
    "i8mm",
    "fphp",
    "bf16",
    "sve",
)


@cache
def fingerprint() -> dict[str, Any]:
    """Machine, operating system, CPU features and the versions of whatever builds or runs a
    model.
    """
    cpu = _cpu()
    return {
        "machine": platform.node(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "cpu": cpu["model"],
        "features": cpu["features"],
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "governor": _governor(),
        "versions": versions_of(packages()),
    }


def _cpu() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    lines = {
        k.strip(): v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())
    }
    flags = (lines.get("flags") or lines.get("Features") or "").split()
    return {
        "model": lines.get("model name") or platform.processor() or "unknown",
        "features": [f for f in FEATURES if f in flags],
    }


def _governor() -> str | None:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text().strip() if path.exists() else None


@cache
def packages() -> tuple[str, ...]:
    """Names of the packages that build, run or read models, as the plugs declare them, and of
    numpy, with which all of them compute.
    """
    plugs: list[Technique | Runtime] = [
        *registry.techniques().values(),
        *registry.runtimes().values(),
    ]
    required = {name for plug in plugs for name in plug.requires}
    versioned = {runtime.version_of for runtime in registry.runtimes().values()}
    read_with = {name for format_ in registry.formats().values() for name in format_.packages}
    return tuple(sorted({"numpy", *required, *versioned, *read_with} - {""}))


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each package by name; those not installed are left out."""
    installed = _installed()
    return {name: installed[name] for name in names if name in installed}


@cache
def _installed() -> dict[str, str]:
    """Return the version of every installed package, read from the names of the `.dist-info`
    folders (packaging.python.org: Recording installed projects): importlib.metadata parses a whole
    file for each.
    """
    versions: dict[str, str] = {}
    for folder in filter(os.path.isdir, sys.path):
        for entry in os.listdir(folder):
            name, _, version = entry.removesuffix(".dist-info").rpartition("-")
            if entry.endswith(".dist-info"):
                versions.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)
    return versions
