"""The folders of the store; where LAB_HOME is, says `lab.home`."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from lab.home import CHECKOUT, folder, home

__all__ = ["CHECKOUT", "folder", "home", "new_workdir"]


def new_workdir() -> Path:
    """An empty folder of a job's own; its name begins with this process's id, so that leftovers of dead ones can be told."""
    path = folder("work") / f"{os.getpid()}-{uuid.uuid4().hex}"
    path.mkdir()
    return path
