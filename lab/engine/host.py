"""Host of the engine: one process for each store runs the jobs, and the next one takes over when it
ends or is killed.

The database is the queue. A process that needs an engine tries to take the lock; if another process
holds it, that one runs the studies, and a thread here goes on trying, so that nothing waits for a
process that is gone.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import shutil
import threading
from typing import IO, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from lab.engine.cluster import Cluster
from lab.engine.study_run import StudyRun
from lab.errors import LabError, StoreFull
from lab.home import folder, home
from lab.store import db, records

POLL_S, RETRY_S = 0.3, 5.0
ADVISORY_LOCK = 0x1AB
log = logging.getLogger(__name__)


class Host:
    """Runs the queued and interrupted studies of a store while it holds the store's lock."""

    def __init__(self, at_once: int = 2) -> None:
        self.at_once, self.active = at_once, dict[str, threading.Thread]()
        self.wake, self.stopping = threading.Event(), threading.Event()
        self.cluster = Cluster(before_exit=self.stopping.set)
        self._file: IO[str] | None = None
        self._session: Connection | None = None
        self.thread = threading.Thread(target=self._serve, name="lab-engine", daemon=True)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            try:
                if self._file is not None or self._take_lock():
                    self._start_waiting()
            except (
                LabError,
                OSError,
                SQLAlchemyError,
            ) as error:  # a full disk, say: the thread must outlive it, or every wait is for ever
                log.error("The engine tries again in %.0f s: %s", RETRY_S, error)
                self.stopping.wait(RETRY_S)
            self.wake.wait(POLL_S)
            self.wake.clear()

    def _take_lock(self) -> bool:
        file = (home() / "engine.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        if not self._take_advisory_lock():
            file.close()
            return False
        self._file = file
        file.write(f"{os.getpid()}\n")
        file.flush()
        _clear_work()
        return True

    def _take_advisory_lock(self) -> bool:
        """On PostgreSQL, machines with folders of their own share a queue: one engine for all of
        them.
        """
        if db.engine().dialect.name != "postgresql":
            return True
        session = db.engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        if session.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": ADVISORY_LOCK}).scalar():
            self._session = session
            return True
        session.close()
        return False

    def _start_waiting(self) -> None:
        self.active = {id_: thread for id_, thread in self.active.items() if thread.is_alive()}
        records.cancel_queued()
        if len(self.active) >= self.at_once:
            return
        for study in reversed(records.studies(("queued", "running"))):
            if study.id not in self.active and len(self.active) < self.at_once:
                run = StudyRun(study.id, self.cluster, self.stopping.is_set)
                self.active[study.id] = threading.Thread(
                    target=self._run, args=(run,), name=f"study-{study.id}", daemon=True
                )
                self.active[study.id].start()

    def _run(self, study: StudyRun) -> None:
        """Run a study; where not even its failure can be written down, the study is taken up again
        a little later.
        """
        try:
            study.run()
        except StoreFull as error:
            log.error("Study %s waits for space: %s", study.id, error)
            self.stopping.wait(RETRY_S)

    def stop(self) -> None:
        """Stop taking studies and let the lock go; what is running is resumed by the next host."""
        self.stopping.set()
        self.wake.set()
        self.thread.join(timeout=2)
        self.cluster.close()
        if self._session is not None:
            self._session.invalidate()  # closed alone it would go back to its pool, with the lock
            self._session.close()
        if self._file is not None:
            self._file.close()
        self._file = self._session = None


def _clear_work() -> None:
    """Remove work folders and logs of workers that died with their process."""
    for path in folder("work").iterdir():
        if not _alive(path.name.partition("-")[0]):
            shutil.rmtree(path, ignore_errors=True)
    for path in folder("logs").iterdir():
        if not _alive(path.stem.rpartition("-")[2]):
            path.unlink(missing_ok=True)


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # somebody else's, but alive
        return True
    return True


_hosts: dict[str, Host] = {}
_lock = threading.Lock()


def ensure_engine() -> Host:
    """Start this process's engine for the present store, or wake it."""
    where = f"{home()} {db.database_url()}"
    with _lock:
        if where not in _hosts:
            _hosts[where] = Host()
            _hosts[where].thread.start()
            atexit.register(_hosts[where].stop)
    _hosts[where].wake.set()
    return _hosts[where]


def stop_engines() -> None:
    """Stop every engine of this process (for tests, and before a clean exit)."""
    with _lock:
        hosts: list[Any] = list(_hosts.values())
        _hosts.clear()
    for host in hosts:
        host.stop()
