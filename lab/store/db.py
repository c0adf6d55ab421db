"""One database: SQLite in LAB_HOME by default, PostgreSQL through LAB_DATABASE_URL.

SQLite is held to one writer at a time, over threads and processes: every write begins with BEGIN
IMMEDIATE (a deferred BEGIN loses writes to "database is locked") behind a lock file (SQLite before
3.51.3 can corrupt its WAL when writers race).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from lab.errors import StoreFull, UsageError
from lab.home import home

HEAD = "0003"
MIGRATION_LOCK = 0x1AC
MIGRATIONS = Path(__file__).parent / "migrations"
FULL = (
    "disk is full",
    "disk i/o",
    "no space left",
)  # SQLite's two ways to say it, and PostgreSQL's
_process_lock = threading.RLock()
BUSY_S = 30


def database_url() -> str:
    """LAB_DATABASE_URL, or the SQLite file in LAB_HOME."""
    url = os.environ.get("LAB_DATABASE_URL") or f"sqlite:///{home() / 'lab.db'}"
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def engine() -> Engine:
    """The engine of the present database, its schema up to date."""
    return _engine(database_url())


@cache
def _engine(url: str) -> Engine:
    made = create_engine(url, connect_args={"timeout": BUSY_S} if url.startswith("sqlite") else {})
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", _configure_sqlite)
        event.listen(made, "begin", _begin_sqlite)
    _upgrade(made)
    return made


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in (f"busy_timeout={1000 * BUSY_S}", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    """SQLite does not wait for others when it changes the journal: whoever opens a new store second
    has to try again.
    """
    end = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _upgrade(made: Engine) -> None:
    found = _revision(made)
    if found is not None and found > HEAD:
        raise UsageError(
            "This store was written by a later version of the lab",
            allowed=f"up to {HEAD}",
            given=found,
            remedy="Update the lab, or name another LAB_HOME",
        )
    if found != HEAD:
        with _one_writer(made):
            migrate(made)


def _revision(made: Engine) -> str | None:
    with made.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(made: Engine) -> None:
    """Bring a database to the newest schema (Alembic is imported only when there is something to
    do).
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with made.connect().execution_options(write=True) as connection, connection.begin():
        if (
            made.dialect.name == "postgresql"
        ):  # two machines that start together: the second finds nothing left to do
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _one_writer(made: Engine) -> Iterator[None]:
    if made.dialect.name != "sqlite":
        yield
        return
    import fcntl

    with _process_lock, (home() / "write.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def read() -> Iterator[Connection]:
    """A connection for reading: a consistent view, no lock."""
    with engine().connect() as connection:
        yield connection


@contextmanager
def write() -> Iterator[Connection]:
    """A transaction that commits at the end, alone among writers.

    Raises:
        StoreFull: the disk is full.
    """
    try:
        made = engine()
        with (
            _one_writer(made),
            made.connect().execution_options(write=True) as connection,
            connection.begin(),
        ):
            yield connection
    except DBAPIError as error:
        if any(words in str(error.orig).lower() for words in FULL):
            raise StoreFull(
                "The database could not be written: its disk is full",
                given=str(home()),
                remedy="Free some space, then resume the study; finished work is kept",
            ) from error
        raise
