"""One exception tree. Every message says what was wrong, what is allowed, what was given and how to
mend it.

LabError
├── UsageError           what was asked for cannot be: the command line ends with status 2
│   ├── UnknownId        no such model, technique, runtime, metric, data set or study
│   ├── InvalidOption    an option's value is outside its declaration
│   ├── InvalidFile      a model file or a data file cannot be used
│   └── NoPath           no chain of conversions leads from the model's format to the runtime's
├── LinkRevoked          a link to a view was taken back
├── MissingPackage       an optional package is not installed
├── DownloadFailed       a publisher's file is not on this machine and cannot be fetched
└── JobError             a job failed; the trial keeps it as data
    ├── JobCrashed       its process died (signal or exit status)
    ├── JobTimedOut      it ran longer than its limit
    ├── JobOutOfMemory   it grew past its memory limit
    ├── JobCancelled     somebody cancelled it
    └── StoreFull        the disk that holds LAB_HOME is full
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LabError(Exception):
    """Base of everything that the lab raises on purpose.

    Args:
        problem: what was wrong.
        allowed: what would have been accepted.
        given: what was given.
        remedy: how to mend it.
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
    """What was asked for cannot be."""


class UnknownId(UsageError):
    """No plug or row of that id."""

    @classmethod
    def of(cls, kind: str, given: str, known: Iterable[str], remedy: str = "") -> UnknownId:
        """An error that lists the known ids and proposes the nearest one."""
        ids = sorted(known)
        near = get_close_matches(given, ids, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else remedy
        return cls(
            f"There is no {kind} of that id",
            allowed=", ".join(ids) or "none yet",
            given=given,
            remedy=hint,
        )


class LinkRevoked(LabError):
    """A link that leads nowhere any more."""


class InvalidOption(UsageError):
    """A value outside an option's declaration."""


class InvalidFile(UsageError):
    """A model or data file that cannot be used."""


class NoPath(UsageError):
    """No conversion leads from one format to another."""


class MissingPackage(LabError):
    """An optional package is not installed."""

    @classmethod
    def of(cls, what: str, package: str) -> MissingPackage:
        """Names the plug that needs the package and the line that brings it."""
        return cls(
            f"{what} needs the package {package!r}, which is not installed",
            remedy=f"Run: pip install {package}",
        )


class DownloadFailed(LabError):
    """A publisher's file is not on this machine and cannot be fetched."""


class JobError(LabError):
    """A job failed."""


class JobCrashed(JobError):
    """The job's process died."""


class JobTimedOut(JobError):
    """The job ran longer than its limit."""


class JobOutOfMemory(JobError):
    """The job grew past its memory limit."""


class JobCancelled(JobError):
    """Somebody cancelled the job."""


class StoreFull(JobError):
    """The disk that holds LAB_HOME is full."""
