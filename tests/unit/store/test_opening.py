"""A new store that several open at the same moment."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from lab.store.db import _configure_sqlite


def test_nobody_finds_a_new_file_locked(tmp_path: Path) -> None:
    """Every thread waits for the others, and then is the first: SQLite alone refuses some of them
    at once.
    """
    failed: list[Exception] = []

    def opening(file: Path, together: threading.Barrier) -> None:
        connection = sqlite3.connect(file, check_same_thread=False)
        together.wait()
        try:
            _configure_sqlite(connection, None)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    for number in range(20):
        together = threading.Barrier(8)
        threads = [
            threading.Thread(target=opening, args=(tmp_path / f"{number}.db", together))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
