"""Where everything is kept: LAB_HOME, `.lab/` in the checkout by default."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The folder of the database, the artifacts and the data; made where it is missing."""
    path = Path(os.environ.get("LAB_HOME") or CHECKOUT / ".lab").expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def new_workdir() -> Path:
    """An empty folder of a job's own; its name begins with this process's id, so that leftovers of dead ones can be told."""
    path = folder("work") / f"{os.getpid()}-{uuid.uuid4().hex}"
    path.mkdir()
    return path


def folder(name: str) -> Path:
    """A folder of LAB_HOME; made where it is missing."""
    path = home() / name
    path.mkdir(parents=True, exist_ok=True)
    return path
