"""The frame around every job: done once, cancelled on request, remembered, logged."""

from __future__ import annotations

import platform
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lab.engine.messages import Built, Evaluated, Failure, ProcessResult
from lab.engine.messages.requests import TargetRequest
from lab.engine.pools import discard
from lab.errors import (
    JobCancelled,
    JobCrashed,
    JobOutOfMemory,
    JobTimedOut,
    LabError,
    MissingPackage,
    StoreFull,
)
from lab.measure.environment import fingerprint
from lab.store import records

PASSING = tuple(
    e.__name__
    for e in (JobCancelled, JobCrashed, JobTimedOut, JobOutOfMemory, StoreFull, MissingPackage)
)
"""Types of failures that are not remembered, since another attempt may succeed."""
CANCEL_POLL_S = 0.3
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
T = TypeVar("T")
Result = TypeVar("Result", Built, Evaluated)
Request = TypeVar("Request", bound=TargetRequest)


@dataclass(frozen=True)
class Job:
    """Identity of a job.

    Attributes:
        kind: "build", "evaluate" or "measure"; key: of its outcome in the store.
        label: how the list of jobs names it.
    """

    study: str
    kind: str
    key: str
    label: str


def run_once(
    job: Job,
    known: Callable[[], Result | Failure | None],
    work: Callable[[], Result | Failure],
    remember: Callable[[Result | Failure, float], None],
) -> Result | Failure:
    """Run a job unless its outcome is known. Of two studies that want the same thing at the same
    time, the second waits and takes the outcome of the first.
    """
    with _locks[job.key]:
        if (outcome := known()) is not None:
            return outcome
        start = time.time()
        outcome = _attempt(job, work)
        finish = time.time()
        if is_lasting(outcome):
            remember(outcome, finish - start)
        log_job(job, start, finish, failed=isinstance(outcome, Failure))
        return outcome if isinstance(outcome, Failure) else replace(outcome, seconds=finish - start)


def _attempt(job: Job, work: Callable[[], Result | Failure]) -> Result | Failure:
    try:
        if cancellation_of(job.study)():
            raise JobCancelled("The study was cancelled")
        outcome = work()
    except LabError as error:
        outcome = Failure.of(error)
    return replace(outcome, job=job.kind, key=job.key) if isinstance(outcome, Failure) else outcome


def is_lasting(outcome: Any) -> bool:
    """True if an outcome is worth remembering: another attempt would have the same."""
    return not (isinstance(outcome, Failure) and outcome.type in PASSING)


def keep_files(finished: ProcessResult[T], keep: Callable[[T], Result]) -> Result | Failure:
    """Keep the files of a process in the store, and remove its work folder."""
    try:
        return finished.result if isinstance(finished.result, Failure) else keep(finished.result)
    finally:
        discard(finished)


def in_this_environment(request: Request) -> Request:
    """The request with the environment of the machine that works on it, which may differ from the
    one that sent it.
    """
    return replace(request, environment=records.keep_environment(fingerprint()))


def cancellation_of(study_id: str) -> Callable[[], bool]:
    """Function that says whether a study was cancelled; it asks the store a few times a second."""
    last = [0.0, False]

    def is_cancelled() -> bool:
        if not last[1] and time.monotonic() - last[0] > CANCEL_POLL_S:
            last[:] = [time.monotonic(), bool(records.study_row(study_id).cancel_requested)]
        return bool(last[1])

    return is_cancelled


def log_job(job: Job, start: float, finish: float, *, failed: bool) -> None:
    """Add a job to the list of jobs."""
    records.add_job(
        study=job.study,
        kind=job.kind,
        key=job.key,
        label=job.label[:300],
        machine=platform.node(),
        started_at=start,
        finished_at=finish,
        outcome="failed" if failed else "complete",
    )
