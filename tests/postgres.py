"""A real PostgreSQL server in a temporary folder, for as long as the tests run."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engine.host import stop_engines
from lab.store import db


def binary(name: str) -> str | None:
    """A program of PostgreSQL: that of a versioned folder first, which is not a wrapper."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(found[0]) if found else shutil.which(name)


def as_user(command: list[str], **more: object) -> None:
    """Run as the user "postgres" where we are root, whom PostgreSQL refuses."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, cwd="/")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a running server, without a database's name."""
    if binary("initdb") is None or binary("pg_ctl") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "PostgreSQL's server is not installed"
        )
    folder = Path(tempfile.mkdtemp(prefix="lab-postgres-"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, port = folder / "data", free_port()
    as_user([str(binary("initdb")), "-D", str(data), "-U", "lab", "-A", "trust", "--no-sync"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    as_user(
        [
            str(binary("pg_ctl")),
            "-D",
            str(data),
            "-w",
            "-o",
            options,
            "-l",
            str(folder / "log"),
            "start",
        ]
    )
    yield f"postgresql://lab@127.0.0.1:{port}"
    as_user([str(binary("pg_ctl")), "-D", str(data), "-m", "immediate", "stop"])
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def empty_database(server: str, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """LAB_DATABASE_URL names a fresh database."""
    import psycopg

    name = f"lab_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    monkeypatch.setenv("LAB_DATABASE_URL", f"{server}/{name}")
    yield f"{server}/{name}"
    stop_engines()
    db.engine().dispose()
