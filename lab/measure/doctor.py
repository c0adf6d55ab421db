"""Measuring process of the self-test: `python -m lab.measure.doctor REPEAT ANSWER.json`; nothing
else runs in it.

A check is a function without arguments that returns a `Check`; to add one, list it in `groups`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from lab.measure import doctor_machine as machine
from lab.measure.check import Check, Group
from lab.measure.conditions import usable_cores
from lab.measure.doctor_timing import timing_checks
from lab.measure.parent import die_with_parent

Run = Callable[[], Check]


def groups(repeat: int) -> tuple[tuple[Group, tuple[Run, ...]], ...]:
    """Return all checks by group, in execution order: first those that the load of other checks
    would change.
    """
    cores = len(usable_cores())
    *timing, threads = timing_checks(repeat, cores)
    return (
        (
            "machine",
            (
                machine.contention,
                machine.pressure,
                machine.affinity,
                machine.virtual_machine,
                machine.clock,
                machine.temperature,
                machine.throttling,
                machine.energy,
            ),
        ),
        ("timing", tuple(timing)),
        ("computing", (machine.features, threads)),
    )


def examine(repeat: int) -> list[Check]:
    """Run every check, one after the other."""
    return [_survived(run).within(group) for group, runs in groups(repeat) for run in runs]


def _survived(run: Run) -> Check:
    """Run a check; a failure becomes its result, so that the other checks go on."""
    try:
        return run()
    except Exception as error:
        name = getattr(getattr(run, "func", run), "__name__", "check")
        return Check(
            name,
            name.replace("_", " ").capitalize(),
            "unavailable",
            f"This check failed: {error}.",
        )


def main(arguments: Sequence[str]) -> None:
    """Run the checks and write their results."""
    repeat, to = int(arguments[0]), Path(arguments[1])
    to.write_text(json.dumps({"checks": [asdict(check) for check in examine(repeat)]}))


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1:])
