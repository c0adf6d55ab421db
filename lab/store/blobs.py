"""Files named by their SHA-256: written to a temporary file, fsynced, then renamed, so that none is
ever half there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import registry
from lab.errors import StoreFull
from lab.home import folder, home
from lab.types import Artifact


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep(path: Path, format_: str) -> Artifact:
    """Copy a file into the store under its digest; the same content is kept once.

    Raises:
        StoreFull: no space is left for it.
    """
    sha = sha256_of(path)
    final = folder("artifacts") / f"{sha}{_suffix(path, format_)}"
    if not final.exists():
        _place(path, final)
    return Artifact(str(final), format_, sha, final.stat().st_size)


def _suffix(path: Path, format_: str) -> str:
    """Return the file's own suffix where its format uses that one, else the format's first."""
    known = registry.formats().get(format_)
    return path.suffix if known is None or path.suffix in known.suffixes else known.suffixes[0]


FILES = ("artifact", "outputs", "answers", "samples", "anatomy", "profile")


def locate(values: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Values with the files under FILES as they lie now: the store may have moved, or another
    machine have written the rows.
    """
    artifacts = folder("artifacts")
    return [
        {**value, **{n: _here(value[n], artifacts) for n in FILES if value.get(n)}}
        for value in values
    ]


def _here(file: Mapping[str, Any], artifacts: Path) -> dict[str, Any]:
    return {**file, "path": f"{artifacts}/{os.path.basename(file['path'])}" if file["path"] else ""}


def locate_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """A stored card with its model file as it lies now."""
    return _here(card, folder("artifacts"))


def is_whole(outcome: Mapping[str, Any]) -> bool:
    """False where a file of it is gone, so that it must be made again."""
    return all(os.path.exists(outcome[name]["path"]) for name in FILES if outcome.get(name))


def _place(source: Path, final: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=final.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as out, source.open("rb") as data:
            shutil.copyfileobj(data, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, final)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise full_disk(error) from error


def full_disk(error: OSError) -> Exception:
    """StoreFull where the error says that the disk is full, else the error itself."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return StoreFull(
        "No space is left on the disk that holds LAB_HOME",
        given=str(home()),
        remedy=(
            "Free some space or set LAB_HOME to a larger disk, then resume the study; finished work"
            " is kept"
        ),
    )
