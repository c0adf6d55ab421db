"""Exceptions of the lab. Every message states the problem, what is allowed, what was given and how
to fix it.

LabError
├── UsageError           a request cannot be fulfilled: the command line ends with status 2
│   ├── UnknownId        no such model, technique, runtime, metric, dataset or study
│   ├── InvalidOption    an option's value is outside its declaration
│   ├── InvalidFile      a model file or a data file cannot be used
│   └── NoPath           no chain of conversions leads from the model's format to the runtime's
├── LinkRevoked          a link to a view was revoked
├── MissingPackage       an optional package is not installed
├── DownloadFailed       a publisher's file is not on this machine and cannot be downloaded
└── JobError             a job failed; the trial keeps it as data
    ├── JobCrashed       its process died (signal or exit status)
    ├── JobTimedOut      it ran longer than its limit
    ├── JobOutOfMemory   it exceeded its memory limit
    ├── JobCancelled     it was cancelled
    └── StoreFull        the disk that holds LAB_HOME is full
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LabError(Exception):
    """Base of all exceptions that the lab raises on purpose.

    Args:
        problem: the problem.
        allowed: the accepted values.
        given: the given value.
        remedy: a way to fix it.
    """

    def __init__(
        self, problem: str, *, allowed: str = "", given: object = None, remedy: str = ""
    ) -> None:
        self.problem, self.allowed, self.given, self.remedy = problem, allowed, given, remedy
        parts = [problem.rstrip(".") + "."]
        parts += [f"Allowed: {allowed}."] if allowed else []
        parts += [f"Given: {given!r}."] if given is not None else []
        parts += [remedy if remedy.endswith("?") else f"{remedy.rstrip('.')}."] if remedy else []
        super().__init__(" ".join(parts))


class UsageError(LabError):
    """Request that cannot be fulfilled."""


class UnknownId(UsageError):
    """Unknown id of a plug or a row."""

    @classmethod
    def of(cls, kind: str, given: str, known: Iterable[str], remedy: str = "") -> UnknownId:
        """Return an error that lists the known ids and suggests the nearest one."""
        ids = sorted(known)
        near = get_close_matches(given, ids, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else remedy
        return cls(
            f"There is no {kind} with that id",
            allowed=", ".join(ids) or "none yet",
            given=given,
            remedy=hint,
        )


class LinkRevoked(LabError):
    """Link that was revoked."""


class InvalidOption(UsageError):
    """Value outside an option's declaration."""


class InvalidFile(UsageError):
    """Model or data file that cannot be used."""


class NoPath(UsageError):
    """Missing chain of conversions from one format to another."""


class MissingPackage(LabError):
    """Optional package that is not installed."""

    @classmethod
    def of(cls, what: str, package: str) -> MissingPackage:
        """Store the plug that needs the package, and the command that installs it."""
        return cls(
            f"{what} needs the package {package!r}, which is not installed",
            remedy=f"Run: pip install {package}",
        )


class DownloadFailed(LabError):
    """Publisher's file that is not on this machine and cannot be downloaded."""


class JobError(LabError):
    """Failure of a job."""


class JobCrashed(JobError):
    """Death of a job's process."""


class JobTimedOut(JobError):
    """Job that exceeded its time limit."""


class JobOutOfMemory(JobError):
    """Job that exceeded its memory limit."""


class JobCancelled(JobError):
    """Job that was cancelled."""


class StoreFull(JobError):
    """Full disk of LAB_HOME."""
