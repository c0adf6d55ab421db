"""Studies as files and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.api._sharing import notes
from lab.home import home
from lab.store.db import database_url


def result_json(study_id: str) -> dict[str, Any]:
    """A study as JSON, as `--json` writes it."""
    from lab.share.result import result_json as result

    return result(study_id)


def export(study_id: str, to: str | Path, *, artifacts: bool = True) -> Path:
    """Write a study to a file; its ending says the form: .csv, .parquet, .json, .html (a report
    that works offline), .ipynb (a
    notebook that runs it again) or .lab (everything, to be imported elsewhere).

    Args:
        artifacts: whether a .lab file holds the model files, too; without them it shows the same
            front and numbers.

    Raises:
        UsageError: an unknown ending.
        UnknownId: there is no such study.
    """
    from lab.share.files import export as write

    return write(study_id, Path(to), artifacts=artifacts, notes=notes(study_id))


def export_model(trial_id: str, to: str | Path) -> Path:
    """Write a trial's model file into a ZIP file, with a README of what it is and with lines that
    load it without the lab.

    Raises:
        UnknownId: there is no such trial.
        UsageError: its file is not in this lab, or the name does not end in .zip.
        LabError: the file cannot be loaded here.
    """
    from lab.share.model_file import export_model as write

    return write(trial_id, Path(to))


def import_study(path: str | Path) -> str:
    """Read a `.lab` file into this store; returns the study's id. A study that is here already is
    left as it is.
    """
    from lab.share.importing import import_study as read

    return read(Path(path))


def example_study() -> str | None:
    """Id of the finished study that ships with the lab, read into the store when first asked
    for.
    """
    from lab.share.files import EXAMPLE

    where = f"{home()} {database_url()}"
    if where not in _read and EXAMPLE.exists():
        _read[where] = import_study(EXAMPLE)
    return _read.get(where)


_read: dict[str, str] = {}  # store -> the example's id there: pages ask for it on every rerun
