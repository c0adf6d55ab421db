"""Inside of a pool process: its imports before the first job, and the watch over its memory."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lab.engine.messages import Failure
from lab.errors import JobOutOfMemory
from lab.formats.quiet import no_telemetry
from lab.plugs import module_of

PRELOAD: dict[str, tuple[str, ...]] = {
    "light": ("numpy",),
    "nncf": ("openvino", "nncf"),
    "torch": ("torch",),
    "tensorflow": ("tensorflow",),
    "torch_training": ("torch",),
    "tensorflow_training": ("tensorflow",),
}
OUT_OF_MEMORY = "out_of_memory"
POLL_S, ORPHAN_POLL_S = 0.1, 0.5
Request = TypeVar("Request")
T = TypeVar("T")
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "ORT_DISABLE_TELEMETRY": "1",
    "KERAS_BACKEND": "tensorflow",
}


def start(toolchain: str, logs: str) -> None:
    """Prepare a fresh worker: die with the parent, send nothing to anybody, write to a log of its
    own, load the toolchain.
    """
    os.environ.update(QUIET)
    no_telemetry()
    _write_to(Path(logs) / f"worker-{toolchain}-{os.getpid()}.log")
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    preload(PRELOAD[toolchain])


def preload(packages: Sequence[str]) -> None:
    """Import what later jobs will need."""
    for package in packages:
        with contextlib.suppress(ImportError):  # the job itself reports what is missing
            importlib.import_module(module_of(package))


def _write_to(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)


def _die_with_parent(parent: int) -> None:
    """End this process when its parent has ended.

    PR_SET_PDEATHSIG will not do: it fires when the thread ends that started the worker, and a
    study's thread ends with the study.
    """
    while os.getppid() == parent:
        time.sleep(ORPHAN_POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)


def run(
    body: Callable[[Request, Path], T], request: Request, workdir: Path, memory_bytes: int
) -> T | Failure:
    """Run a job's body; an exception becomes a Failure."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(memory_bytes, workdir, done), daemon=True)
    watcher.start()
    try:
        return body(request, workdir)
    except MemoryError:
        return Failure.of(JobOutOfMemory("The job could not get the memory that it asked for"))
    except Exception as error:  # a failed trial is data
        return Failure.of(error)
    finally:
        done.set()


def _watch(limit: int, workdir: Path, done: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while not done.is_set():
        if _resident(page) > limit:
            (workdir / OUT_OF_MEMORY).write_text(f"{limit}")
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        done.wait(POLL_S)


def _resident(page: int) -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page
    except OSError:
        return 0
