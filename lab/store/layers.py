"""Layer tables: what a sample model's record says, else read from the file once, in a process of
its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.formats.layers import VERSION
from lab.home import CHECKOUT, folder
from lab.store.blobs import sha256_of
from lab.types import Layer, ModelCard

TIMEOUT_S = 300.0


def layers_of(card: ModelCard) -> list[Layer]:
    """The layer table of a card's file.

    Raises:
        LabError: the file is not there, or cannot be read.
    """
    path = Path(card.path)
    if not path.is_file():
        raise LabError(f"The file of the model {card.id!r} is not here", given=path.name)
    sha = sha256_of(path)
    recorded = _recorded(path, sha)
    return (
        [Layer.from_json(row) for row in recorded]
        if recorded
        else layers_of_file(path, card.format, sha)
    )


def layers_of_file(path: Path, format_: str, sha256: str) -> list[Layer]:
    """The layer table of any file, read once.

    Raises:
        LabError: it cannot be read.
    """
    found = _kept(sha256) or _keep(_read(path, format_), sha256)
    return [Layer.from_json(row) for row in found]


def _recorded(path: Path, sha: str) -> Any:
    """Layer table that was written beside the weights when they were trained; None where the
    weights have changed since.
    """
    record = path.with_suffix(".json")
    if not record.is_file():
        return None
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return facts.get("layers") if facts.get("weights_sha256") == sha else None


def _place(sha: str) -> Path:
    return folder("layers") / f"{sha}-{VERSION}.json"


def _kept(sha: str) -> Any:
    return json.loads(_place(sha).read_text()) if _place(sha).is_file() else None


def _keep(rows: list[dict[str, Any]], sha: str) -> list[dict[str, Any]]:
    handle, temporary = tempfile.mkstemp(dir=_place(sha).parent, prefix=".part-")
    with os.fdopen(handle, "w") as out:
        json.dump(rows, out)
    os.replace(temporary, _place(sha))
    return rows


def _read(path: Path, format_: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "lab.formats.layers", str(path), format_]
    problem = f"The layers of {path.name} could not be read"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=CHECKOUT, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(problem, given=f"not done after {TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise LabError(
            problem, given=(done.stderr.strip().splitlines() or ["no reason was said"])[-1][:300]
        )
    return list(json.loads(done.stdout.splitlines()[-1]))
