"""Environment variables that the lab reads."""

from __future__ import annotations

from dataclasses import dataclass

from lab.reference.markdown import code, table


@dataclass(frozen=True)
class Setting:
    """An environment variable.

    Attributes:
        name: of the variable.
        help: what it sets; default: what holds where it is not set.
    """

    name: str
    help: str
    default: str


SETTINGS = (
    Setting(
        "LAB_HOME",
        "Folder of the store: database, artifacts, data, downloads, checkpoints, logs.",
        "`.lab/` in the checkout",
    ),
    Setting(
        "LAB_DOWNLOADS",
        "Folder for publishers' data files, which several stores may share.",
        "`downloads/` in LAB_HOME",
    ),
    Setting(
        "LAB_DATABASE_URL",
        "SQLAlchemy address of a PostgreSQL database that replaces SQLite; all machines that share"
        " it have one engine, held by an advisory lock.",
        "SQLite, `lab.db` in LAB_HOME",
    ),
    Setting(
        "LAB_SCHEDULER",
        "Address of a Dask scheduler whose workers share LAB_HOME and offer the resources `slot`,"
        " `torch` and `tensorflow`.",
        "an in-process scheduler that opens no port",
    ),
    Setting("LAB_SLOTS", "Number of jobs that run at once on this machine.", "number of cores"),
    Setting(
        "LAB_JOB_MEMORY_BYTES",
        "Resident memory that a job may use before it is stopped, in bytes.",
        "half of the machine's memory",
    ),
)


def settings() -> str:
    """Return the table of the environment variables."""
    rows = [[code(s.name), s.help, s.default] for s in SETTINGS]
    return table(["variable", "sets", "default"], rows)
