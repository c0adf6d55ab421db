"""On what machine, with which versions: results of unlike environments never share a front."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

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
PACKAGES = (
    "onnxruntime",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "onnx",
    "tensorflow",
    "keras",
    "torch",
    "litert-torch",
    "tf2onnx",
    "openvino",
    "nncf",
    "executorch",
    "torchao",
    "numpy",
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
        "versions": _versions(),
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


def _versions() -> dict[str, str]:
    """Installed versions of PACKAGES, read from the names of their `.dist-info` folders
    (packaging.python.org: Recording
    installed projects): importlib.metadata parses a whole file for each.
    """
    found: dict[str, str] = {}
    for folder in filter(os.path.isdir, sys.path):
        for entry in os.listdir(folder):
            name, _, version = entry.removesuffix(".dist-info").rpartition("-")
            if entry.endswith(".dist-info"):
                found.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)
    return {name: found[name] for name in PACKAGES if name in found}
