"""Checks of the lab itself: versions, unavailable parts and the reasons, the disk and the database.
All are immediate except the execution providers, whose libraries are loaded in separate processes.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql
from sqlalchemy.exc import SQLAlchemyError

from lab import registry
from lab.engine.providers import providers
from lab.errors import LabError
from lab.home import home
from lab.measure.check import Check
from lab.measure.environment import fingerprint, packages
from lab.plugs import Provider, Runtime, Technique
from lab.store import db

LITTLE_BYTES = 2_000_000_000
SLOW_ANSWER_S = 0.5


def hardware() -> Check:
    """Processor, memory and operating system."""
    f = fingerprint()
    text = (
        f"{f['cpu']} ({f['architecture']}), {f['cores']} cores, {f['memory_bytes'] / 1e9:.1f} GB of"
        f" memory, {f['os']}."
    )
    return Check(
        "hardware",
        "Hardware",
        "ok",
        text,
        {name: f[name] for name in ("machine", "cpu", "cores", "memory_bytes")},
    )


def versions() -> Check:
    """Versions of the packages that build or run models."""
    found = fingerprint()["versions"]
    text = (
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in found.items())
        + "."
    )
    absent = [name for name in packages() if name not in found]
    text += f" Not installed: {', '.join(absent)}." if absent else ""
    return Check(
        "versions",
        "Versions",
        "ok",
        text,
        {"versions": dict(found), "absent": absent},
        group="software",
    )


def plugs() -> Check:
    """Techniques, runtimes, metrics and tasks that are registered, and those that lack a
    package.
    """
    every: Mapping[str, Mapping[str, Technique | Runtime]] = {
        "techniques": registry.techniques(),
        "runtimes": registry.runtimes(),
    }
    missing = {
        f"{kind[:-1]} {id_}": plug.missing
        for kind, found in every.items()
        for id_, plug in found.items()
        if plug.missing
    }
    counts = {kind: len(found) for kind, found in every.items()} | {
        "metrics": len(registry.metrics())
    }
    known = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    if not missing:
        return Check(
            "plugs",
            "Techniques and runtimes",
            "ok",
            f"All can be used: {known}.",
            counts,
            group="software",
        )
    return Check(
        "plugs",
        "Techniques and runtimes",
        "warning",
        f"Of {known}, these lack a package: {', '.join(missing)}.",
        {**counts, "missing": missing},
        f"pip install {' '.join(sorted(set(missing.values())))}.",
        "software",
    )


def execution_providers() -> Check:
    """Execution providers of each runtime, and the reasons why some are absent."""
    said, why, broken = list[str](), dict[str, str](), list[str]()
    for id_, runtime in registry.runtimes().items():
        try:
            found = providers(id_)
        except LabError as error:
            broken.append(str(error))
            continue
        why |= {f"{runtime.title}: {p.name}": p.why for p in found if not p.available}
        said += [_offer(runtime.title, found)] if found else []
    figures: Mapping[str, Any] = {"absent": why}
    if broken:
        return Check(
            "providers",
            "Execution providers",
            "warning",
            " ".join(broken + said),
            figures,
            "Install that runtime again.",
            "software",
        )
    return Check(
        "providers", "Execution providers", "ok", " ".join(said), figures, group="software"
    )


def _offer(title: str, found: Sequence[Provider]) -> str:
    here, absent = ([p.name for p in found if p.available is so] for so in (True, False))
    return f"{title} has {', '.join(here) or 'none'}" + (
        f" here, not {', '.join(absent)}." if absent else " here."
    )


def disk(folder: Path | None = None) -> Check:
    """Room for what studies keep."""
    where = folder or home()
    free = shutil.disk_usage(where).free
    little = free < LITTLE_BYTES
    return Check(
        "disk",
        "Disk",
        "warning" if little else "ok",
        f"{free / 1e9:.1f} GB are free where the lab keeps its files.",
        {"free_bytes": free},
        (
            "A full sweep may need 1 GB: delete something, or set LAB_HOME to a larger disk."
            if little
            else ""
        ),
        "software",
    )


def database() -> Check:
    """Response time of the database."""
    start = time.perf_counter()
    try:
        with db.read() as connection:
            connection.execute(sql("SELECT 1"))
    except (SQLAlchemyError, LabError, OSError) as error:
        return Check(
            "database",
            "Database",
            "warning",
            f"It does not answer: {str(error).splitlines()[0]}",
            {},
            "Look at LAB_DATABASE_URL, or at LAB_HOME and its permissions.",
            "software",
        )
    took, kind = (
        time.perf_counter() - start,
        "PostgreSQL" if "postgresql" in db.database_url() else "SQLite",
    )
    slow = took > SLOW_ANSWER_S
    return Check(
        "database",
        "Database",
        "warning" if slow else "ok",
        f"{kind} answers in {1e3 * took:.1f} ms.",
        {"kind": kind, "answer_s": took},
        (
            "A slow store delays pages, not measurements: keep LAB_HOME on a local disk."
            if slow
            else ""
        ),
        "software",
    )


KNOWN_AT_ONCE = (hardware, versions, plugs, disk, database)
LAB_CHECKS = (*KNOWN_AT_ONCE, execution_providers)
