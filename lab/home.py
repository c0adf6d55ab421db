"""The folders that hold everything: LAB_HOME, `.lab/` in the checkout by default."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """Return the folder of the database, the artifacts and the data; it is created where it is
    missing.
    """
    path = Path(os.environ.get("LAB_HOME") or CHECKOUT / ".lab").expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def folder(name: str) -> Path:
    """Return a folder of LAB_HOME; it is created where it is missing."""
    path = home() / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def new_workdir() -> Path:
    """Create an empty folder for one job; its name begins with this process's id, which tells
    leftovers of dead processes.
    """
    path = folder("work") / f"{os.getpid()}-{uuid.uuid4().hex}"
    path.mkdir()
    return path
