"""Curves of a training, handed out of the process that trains while it runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FILE = "curve.json"
EVERY_S = 1.0


def curve_writer(workdir: Path) -> Callable[[Mapping[str, Any]], None]:
    """Function with which a job writes its curve; the last one of each phase counts."""
    phases: dict[str, Any] = {}

    def write(curve: Mapping[str, Any]) -> None:
        phases[curve["phase"]] = curve
        part = workdir / f"{FILE}.part"
        part.write_text(json.dumps(list(phases.values())))
        os.replace(part, workdir / FILE)

    return write


def read_curves(workdir: Path) -> list[dict[str, Any]]:
    """Curves that a job has written so far, one a phase."""
    try:
        return list(json.loads((workdir / FILE).read_text()))
    except OSError:
        return []


class Follower:
    """Hand on a job's curves about once a second.

    Args:
        keep: takes the curves, one a phase.
    """

    def __init__(self, keep: Callable[[list[dict[str, Any]]], None]) -> None:
        self.keep = keep
        self.looked, self.written = 0.0, 0.0

    def __call__(self, workdir: Path) -> None:
        """Look for new curves, at most once a second however often it is called."""
        if time.monotonic() - self.looked < EVERY_S:
            return
        self.looked = time.monotonic()
        try:
            changed = (workdir / FILE).stat().st_mtime
        except OSError:
            return
        if changed != self.written:
            self.written = changed
            self.keep(read_curves(workdir))
