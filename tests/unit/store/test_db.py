"""One database: its schema is the migrations', its writers wait for each other, and a full disk is
named.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from lab.errors import StoreFull, UsageError
from lab.store import db, records
from lab.store.schema import metadata

ROOT = Path(__file__).resolve().parents[3]
WRITERS, COMMITS = 8, 50
WRITE = """
import sys
from lab.store import records
for n in range({commits}):
    records.remember_result(f"{{sys.argv[1]}}-{{n}}", "measure", {{"n": n}}, 1.0)
"""


def alembic(connection: Connection, act: Callable[..., None], revision: str) -> None:
    """A migration command on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(db.MIGRATIONS))
    config.attributes["connection"] = connection
    act(config, revision)


@pytest.mark.usefixtures("store")
class TestEveryDatabase:
    """What holds for SQLite and for PostgreSQL."""

    def test_migrations_make_what_the_schema_says(self) -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        with db.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []

    def test_head_is_the_newest_migration(self) -> None:
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(db.MIGRATIONS))
        assert ScriptDirectory.from_config(config).get_current_head() == db.HEAD

    def test_migrations_go_back_and_forth(self) -> None:
        from alembic import command

        records.remember_step("k", "t", {}, 1.0)
        with db.write() as connection:
            alembic(connection, command.downgrade, "base")
        with db.read() as connection:
            assert set(inspect(connection).get_table_names()) == {"alembic_version"}
        db.migrate(db.engine())
        assert records.known_step("k") is None
        records.remember_step("k", "t", {"a": 1}, 1.0)
        assert records.known_step("k") == {"a": 1}

    def test_a_failed_transaction_leaves_nothing(self) -> None:
        with pytest.raises(DBAPIError):
            self.write_twice()
        with db.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM environments")).scalar() == 0

    def write_twice(self) -> None:
        """The second is refused for its id."""
        with db.write() as connection:
            for _ in range(2):
                connection.execute(
                    text("INSERT INTO environments (id, payload) VALUES ('e', '{}')")
                )

    def test_what_is_remembered_again_replaces(self) -> None:
        records.remember_step("k", "t", {"a": 1}, 1.0)
        records.remember_step("k", "t", {"a": 2}, 3.0)
        assert records.known_step("k") == {"a": 2}
        assert records.step_seconds() == {"t": 3.0}

    @pytest.mark.slow
    def test_many_writers_lose_nothing(self) -> None:
        """They also all find an empty database, and make its tables together."""
        command = [sys.executable, "-c", WRITE.format(commits=COMMITS)]
        processes = [
            subprocess.Popen([*command, f"w{w}"], cwd=ROOT, stderr=subprocess.PIPE)
            for w in range(WRITERS)
        ]
        errors = [p.communicate(timeout=120)[1] for p in processes]
        assert [p.returncode for p in processes] == [0] * WRITERS, errors
        wanted = [f"w{w}-{n}" for w in range(WRITERS) for n in range(COMMITS)]
        assert {k: v["n"] for k, v in records.known_results(wanted).items()} == {
            k: int(k.split("-")[1]) for k in wanted
        }


def fill(pages: int) -> None:
    """Write until the bound is reached."""
    row = text("INSERT INTO environments (id, payload) VALUES (:i, :p)")
    with db.write() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        for n in range(1000):
            connection.execute(row, {"i": f"{n}", "p": "x" * 4000})


def test_a_full_disk_is_named_and_what_was_written_stays(lab_home: Path) -> None:
    records.remember_step("before", "t", {}, 1.0)
    with db.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    with pytest.raises(StoreFull, match=r"disk is full.*Free some space") as caught:
        fill(pages)
    assert str(lab_home) in str(caught.value)
    db.engine().dispose()  # the bound was the connection's
    assert records.known_step("before") == {}
    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM environments")).scalar() == 0
    records.remember_step("after", "t", {}, 1.0)


def test_sqlite_is_held_to_its_protocol(lab_home: Path) -> None:
    with db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30000
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_postgresql_urls_name_their_driver(monkeypatch: pytest.MonkeyPatch, lab_home: Path) -> None:
    monkeypatch.setenv("LAB_DATABASE_URL", "postgresql://u@h/lab")
    assert db.database_url() == "postgresql+psycopg://u@h/lab"


def test_a_store_of_a_later_version_is_left_alone(lab_home: Path) -> None:
    with db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    db._engine.cache_clear()
    with pytest.raises(UsageError, match="later version"):
        records.studies()
