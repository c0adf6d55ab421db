"""One warm Pebble pool per toolchain: TensorFlow is imported once, a crash costs only its own job,
and a job can be stopped.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.popen_spawn_posix import Popen
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lab.engine import pool_process as worker
from lab.engine.limits import memory_limit_bytes, threads_of_a_job, workers_of
from lab.engine.messages import Failure, ProcessResult
from lab.errors import JobCancelled, JobCrashed, JobOutOfMemory, JobTimedOut
from lab.home import folder, new_workdir

if TYPE_CHECKING:
    from pebble import ProcessExpired, ProcessPool

POLL_S = 0.1
Request = TypeVar("Request")
T = TypeVar("T")


class _HiddenMain(SpawnProcess):
    """Spawns without importing the parent's `__main__`: under Streamlit that is the app's script,
    in a notebook a user's cell.
    """

    _lock = threading.Lock()

    @staticmethod
    def _Popen(process_obj: Any) -> Popen:  # noqa: N802 (multiprocessing's name)
        blank = types.ModuleType("__main__")
        # a set's order is a matter of the hash seed, and converters walk over sets: one seed, one
        # file; and as many
        # threads in all as there are cores: two jobs that spin for each other's core took ten times
        # as long
        with (
            _HiddenMain._lock,
            _environment(PYTHONHASHSEED="0", OMP_NUM_THREADS=f"{threads_of_a_job()}"),
        ):
            real, sys.modules["__main__"] = sys.modules["__main__"], blank
            try:
                return Popen(process_obj)
            finally:
                if sys.modules["__main__"] is blank:
                    sys.modules["__main__"] = real


class _Context(SpawnContext):
    Process = _HiddenMain


class Pools:
    """The pools of this process, made when first needed."""

    def __init__(self) -> None:
        self._pools: dict[str, ProcessPool] = {}
        self._lock = threading.Lock()

    def warm(self, toolchain: str, packages: Sequence[str] = ()) -> None:
        """Start a pool's workers now and have them import these packages, so that this overlaps
        with other work.
        """
        for _ in range(workers_of(toolchain)):
            self._pool(toolchain).schedule(worker.preload, args=(tuple(packages),))

    def run(
        self,
        toolchain: str,
        body: Callable[[Request, Path], T],
        request: Request,
        timeout_s: float,
        cancelled: Callable[[], bool],
        follow: Callable[[Path], None] = lambda workdir: None,
    ) -> ProcessResult[T]:
        """Run a job to its end in a worker of the toolchain.

        Args:
            body: module-level function, such as those of `lab.engine.in_pool_process`; it is called
                with the request and a fresh work folder.
            cancelled: asked every 0.1 s; True stops the worker.
            follow: called every 0.1 s with the work folder, to see what the job writes there.

        Returns:
            the body's result, or a Failure that names a crash, a hang or a lack of memory; with the
            work folder, for `discard`.
        """
        from pebble import ProcessExpired

        workdir = new_workdir()
        arguments = (body, request, workdir, memory_limit_bytes())
        future = self._pool(toolchain).schedule(worker.run, args=arguments, timeout=timeout_s)
        result: T | Failure
        try:
            result = self._wait(future, cancelled, lambda: follow(workdir))
        except JobCancelled as error:
            result = Failure.of(error)
        except FutureTimeout:
            message = f"The job ran longer than its limit of {timeout_s:.0f} s and was stopped"
            result = Failure.of(JobTimedOut(message))
        except ProcessExpired as error:
            result = Failure.of(_cause(error, workdir))
        return ProcessResult(result, workdir)

    @staticmethod
    def _wait(future: Any, cancelled: Callable[[], bool], follow: Callable[[], None]) -> Any:
        while True:
            try:
                return future.result(timeout=POLL_S)
            except FutureTimeout:
                if future.done():
                    return future.result()
                follow()
                if cancelled():
                    future.cancel()
                    raise JobCancelled("The study was cancelled") from None

    def _pool(self, toolchain: str) -> ProcessPool:
        from pebble import ProcessPool

        with self._lock:
            if toolchain not in self._pools or not self._pools[toolchain].active:
                _start_quiet_tracker()
                self._pools[toolchain] = ProcessPool(
                    workers_of(toolchain),
                    initializer=worker.start,
                    initargs=(toolchain, str(folder("logs"))),
                    context=_Context(),
                )
            return self._pools[toolchain]

    def stop(self) -> None:
        """Stop every worker at once."""
        for pool in self._pools.values():
            pool.stop()
            pool.join()
        self._pools.clear()


def _start_quiet_tracker() -> None:
    """Libraries leave semaphores behind when their worker is stopped; the tracker that removes them
    need not tell the user.
    """
    with _environment(PYTHONWARNINGS="ignore::UserWarning:multiprocessing.resource_tracker"):
        resource_tracker.ensure_running()


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Environment variables for the processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _cause(error: ProcessExpired, workdir: Path) -> JobCrashed | JobOutOfMemory:
    marker = workdir / worker.OUT_OF_MEMORY
    if marker.exists():
        limit = int(marker.read_text()) / 2**20
        return JobOutOfMemory(
            f"The job grew past its memory limit of {limit:.0f} MiB and was stopped",
            remedy="Use fewer calibration samples, or raise LAB_JOB_MEMORY_BYTES",
        )
    code = error.exitcode or 0
    if code == -signal.SIGKILL:
        return JobOutOfMemory(
            "The job's process was killed (SIGKILL), most likely by the kernel for lack of memory"
        )
    cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return JobCrashed(
        f"The job's process crashed ({cause})",
        remedy="The library crashed on this model; choose another technique",
    )


POOLS = Pools()
atexit.register(POOLS.stop)


def discard(finished: ProcessResult[Any]) -> None:
    """Remove a job's work folder, once its files are in the store."""
    shutil.rmtree(finished.workdir, ignore_errors=True)
