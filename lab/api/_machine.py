"""Self-test of this machine, and the checks that are known without one."""

from __future__ import annotations

from lab.engine.doctor import REPEAT, SelfTest
from lab.errors import LabError
from lab.measure.check import Check


def doctor(repeat: int = REPEAT) -> tuple[Check, ...]:
    """Test this machine, which takes half a minute or more and must be alone: can timings be
    trusted, what can it compute, what is missing.

    Args:
        repeat: how often comparisons whose answer is known are made; 40 tell a rate.

    Raises:
        LabError: a study is running, or another self-test.
    """
    from lab.engine.doctor import self_test

    return self_test(repeat).checks


def start_self_test(repeat: int = REPEAT) -> None:
    """Begin `doctor` in the background; `self_test_progress` and `last_self_test` tell what comes
    of it.

    Raises:
        LabError: a study is running, or another self-test.
    """
    from lab.engine.doctor import start_self_test as start_it

    start_it(repeat)


def self_test_progress() -> float | None:
    """The share that is done of a self-test that runs now, in whatever process of this lab; None
    where none runs.
    """
    from lab.engine.doctor import progress as how_far

    return how_far()


def self_test_failure() -> LabError | None:
    """Reason why the last self-test of this process failed; None where it did not."""
    from lab.engine.doctor import failure

    return failure()


def last_self_test() -> SelfTest | None:
    """The last self-test of this machine, None where there was none."""
    from lab.engine.doctor import last_self_test as last

    return last()


def known_checks() -> tuple[Check, ...]:
    """Checks of this machine that need no self-test: versions, missing packages, disk, database."""
    from lab.engine.doctor_lab import KNOWN_AT_ONCE

    return tuple(check() for check in KNOWN_AT_ONCE)
