"""Where everything is kept: LAB_HOME, `.lab/` in the checkout by default."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder of the database, the artifacts and the data; made where it is missing."""
    path = Path(os.environ.get("LAB_HOME") or CHECKOUT / ".lab").expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def folder(name: str) -> Path:
    """A folder of LAB_HOME; made where it is missing."""
    path = home() / name
    path.mkdir(parents=True, exist_ok=True)
    return path
