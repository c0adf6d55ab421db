"""What commands of the command line share: tables on the screen, JSON in files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lab.errors import UsageError


def check_writable(file: Path | None) -> None:
    """Before the work, not after it.

    Raises:
        UsageError: nothing can be written there.
    """
    if (
        file is not None
        and str(file) != "-"
        and (file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK))
    ):
        raise UsageError(
            "This file cannot be written", given=str(file), remedy="Name a file in a folder that exists and is yours"
        )


def write(value: dict[str, Any], json_file: Path) -> None:
    """Write JSON to a file, or to the screen for "-"."""
    text = json.dumps(value, indent=1)
    print(text) if str(json_file) == "-" else json_file.write_text(text)


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows of text below a head, in columns."""
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
