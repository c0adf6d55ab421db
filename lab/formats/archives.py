"""Member names of ZIP archives, the container of several model formats."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path

from lab.errors import InvalidFile

SIGNATURE = b"PK"


def member_names(path: Path, head: bytes) -> frozenset[str]:
    """Return the names of an archive's members; empty where the file is no archive.

    Args:
        head: the file's first bytes.

    Raises:
        InvalidFile: it is an archive, but damaged.
    """
    if not head.startswith(SIGNATURE):
        return frozenset()
    status = path.stat()
    return _names(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _names(path: Path, changed_ns: int, size_bytes: int) -> frozenset[str]:
    """Names of the members of one version of a file: every format asks, one reading is enough."""
    whole = "a complete archive"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged, names = archive.testzip(), archive.namelist()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InvalidFile("This file is damaged", allowed=whole, given=path.name) from error
    if damaged:
        raise InvalidFile("A part of this file is damaged", allowed=whole, given=damaged)
    return frozenset(names)
