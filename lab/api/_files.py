"""Studies as files and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.store.db import database_url
from lab.store.home import home


def result_json(study_id: str) -> dict[str, Any]:
    """What `--json` writes of a study."""
    from lab.share.result import result_json as result

    return result(study_id)


def export(study_id: str, to: str | Path) -> Path:
    """Write a study to a file; its ending says the form: .csv, .parquet, .json or .lab (everything, to be imported elsewhere).

    Raises:
        UsageError: an unknown ending.
    """
    from lab.share.files import export as write

    return write(study_id, Path(to))


def import_study(path: str | Path) -> str:
    """Read a `.lab` file into this store; returns the study's id. A study that is here already is left as it is."""
    from lab.share.files import import_study as read

    return read(Path(path))


def example_study() -> str | None:
    """Id of the finished study that ships with the lab, read into the store when first asked for."""
    from lab.share.files import EXAMPLE

    where = f"{home()} {database_url()}"
    if where not in _read and EXAMPLE.exists():
        _read[where] = import_study(EXAMPLE)
    return _read.get(where)


_read: dict[str, str] = {}  # store -> the example's id there: pages ask for it on every rerun
