"""Self-test: its measuring process runs alone, then the lab itself is checked; the last outcome of
this machine is kept.

While it runs it holds a lock file with its start, so that every process of this lab knows of it.
"""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lab.engine.doctor_lab import LAB_CHECKS
from lab.engine.roofline import measured_roofline, run_module
from lab.errors import LabError
from lab.evidence import Roofline
from lab.home import home, new_workdir
from lab.measure.check import Check
from lab.measure.conditions import usable_cores
from lab.measure.environment import fingerprint
from lab.measure.roofline import blas_environment, to_json
from lab.store import records
from lab.types import digest_of

REPEAT = 3
LIMIT_S, EACH_S = 120.0, 30.0
FIRST_S = 25.0
"""Seconds that it takes as a rule; a guess until it has run once."""


@dataclass(frozen=True)
class SelfTest:
    """Outcome of a self-test.

    Attributes:
        at: when it ended, UTC, ISO 8601; machine: its name; environment: id of its fingerprint.
        seconds: how long it took.
        rooflines: with one thread, and with one for each core.
    """

    at: str
    machine: str
    environment: str
    seconds: float
    checks: tuple[Check, ...]
    rooflines: tuple[Roofline, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **asdict(self),
            "checks": [asdict(c) for c in self.checks],
            "rooflines": [to_json(r) for r in self.rooflines],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        checks = tuple(Check.from_json(c) for c in value["checks"])
        return cls(
            **{
                **value,
                "checks": checks,
                "rooflines": tuple(Roofline.from_json(r) for r in value["rooflines"]),
            }
        )


def last_self_test() -> SelfTest | None:
    """The last one of this machine, None where there was none."""
    found = records.known_result(_key())
    return SelfTest.from_json(found) if found else None


def _key() -> str:
    return digest_of(["doctor", platform.node()])


def self_test(repeat: int = REPEAT) -> SelfTest:
    """Test this machine, alone, and keep what was found.

    Args:
        repeat: how often comparisons whose answer is known are made; 40 tell a rate.

    Raises:
        LabError: a study is running, or another self-test.
        JobCrashed, JobTimedOut: its process failed.
    """
    refuse_while_busy()
    workdir = new_workdir()
    try:
        with _locked():
            found = _tested(repeat, workdir)
    finally:
        shutil.rmtree(workdir, ignore_errors=True)
    records.remember_result(_key(), "doctor", found.to_json(), found.seconds)
    return found


def _tested(repeat: int, workdir: Path) -> SelfTest:
    start, cores = time.monotonic(), len(usable_cores())
    answer = run_module(
        "lab.measure.doctor", [str(repeat)], workdir, blas_environment(1), LIMIT_S + EACH_S * repeat
    )
    measured = [Check.from_json(c) for c in answer["checks"]]
    rooflines = tuple(measured_roofline(n) for n in sorted({1, cores}))
    checks = (
        *_undisturbed(measured),
        roofline_check(rooflines),
        *(check() for check in LAB_CHECKS),
    )
    environment = records.keep_environment(fingerprint())
    return SelfTest(
        records.now(), platform.node(), environment, time.monotonic() - start, checks, rooflines
    )


def _undisturbed(checks: Sequence[Check]) -> list[Check]:
    if not busy():
        return list(checks)
    return [
        Check(
            "meanwhile",
            "Meanwhile",
            "warning",
            "A study began while this test ran, so that its timings are of a busy machine.",
            {},
            "Test again when the study is finished.",
            "timing",
        ),
        *checks,
    ]


def _bytes(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB"


def roofline_check(rooflines: Sequence[Roofline]) -> Check:
    """The most that this machine computes and moves, in a sentence."""
    most = rooflines[-1]
    rates = ", ".join(
        f"{rate / 1e9:.0f} G{'FLOP' if 'float' in name else 'OP'}/s in {name}"
        for name, rate in most.flops.items()
    )
    ends = (min(most.bytes_per_s), max(most.bytes_per_s))
    moved = ", ".join(f"{most.bandwidth(size) / 1e9:.0f} GB/s on {_bytes(size)}" for size in ends)
    threads = "1 thread" if most.threads == 1 else f"{most.threads} threads"
    text = f"With {threads}: {rates}; reading and writing {moved}."
    figures = {
        "flops": dict(most.flops),
        "bytes_per_s": {str(size): rate for size, rate in most.bytes_per_s.items()},
    }
    return Check("roofline", "Roofline", "ok", text, figures, group="computing")


# --- alone ----------------------------------------------------------------------------------------


def busy() -> str:
    """The id of a study that is being run for this store, "" where none is."""
    running = records.studies(("running",))
    return running[0].id if running and _is_locked(home() / "engine.lock") else ""


def refuse_while_busy() -> None:
    """Raises:
    LabError: a study is running, or another self-test: each would disturb the other's timings.
    """
    if study := busy():
        raise LabError(
            "A study is running: it and the self-test would spoil each other's timings",
            given=study,
            remedy="Wait until it is finished, or cancel it",
        )
    if progress() is not None:
        raise LabError("The self-test is running already", remedy="Wait until it is finished")


def _is_locked(file: Path) -> bool:
    if not file.exists():
        return False
    with file.open("r") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_file() -> Path:
    return home() / "doctor.lock"


@contextmanager
def _locked() -> Iterator[None]:
    with _lock_file().open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                "The self-test is running already", remedy="Wait until it is finished"
            ) from error
        handle.truncate(0)
        handle.write(json.dumps({"started_at": time.time()}))
        handle.flush()
        yield


def progress() -> float | None:
    """The share that is done of a self-test that runs now, in whatever process of this lab; None
    where none runs.
    """
    if not _is_locked(_lock_file()):
        return None
    try:
        about = json.loads(_lock_file().read_text())
        last = last_self_test()
        return min(
            0.99, (time.time() - float(about["started_at"])) / (last.seconds if last else FIRST_S)
        )
    except (OSError, ValueError, KeyError):  # it has only just begun
        return 0.0


# --- in the background ----------------------------------------------------------------------------

_failed: dict[str, LabError] = {}  # store -> why the last one that was started here came to nothing


def start_self_test(repeat: int = REPEAT) -> None:
    """Begin in a thread and return; `progress` tells how far it is, `failure` whether it came to
    nothing.

    Raises:
        LabError: a study is running, or another self-test.
    """
    refuse_while_busy()
    where = str(home())
    _failed.pop(where, None)

    def run() -> None:
        try:
            self_test(repeat)
        except LabError as error:
            _failed[where] = error

    thread = threading.Thread(target=run, name="self-test", daemon=True)
    thread.start()
    while thread.is_alive() and progress() is None:
        time.sleep(0.01)


def failure() -> LabError | None:
    """Error of the last self-test that this process started; None where it ended well."""
    return _failed.get(str(home()))
