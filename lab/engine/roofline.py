"""The machine's roofline, measured once for each environment and number of threads, and kept in the
store.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.engine.pool_process import QUIET
from lab.errors import JobCrashed, JobTimedOut
from lab.evidence import Roofline
from lab.home import CHECKOUT, new_workdir
from lab.measure.environment import fingerprint
from lab.measure.roofline import blas_environment, to_json
from lab.store import records
from lab.types import digest_of

LIMIT_S = 120.0


def ensure_roofline(threads: int) -> Roofline:
    """Roofline of this machine with that many threads: known, or measured now, which takes 4 s and
    should be undisturbed.

    Raises:
        JobCrashed, JobTimedOut: it could not be measured.
    """
    return known_roofline(threads) or measured_roofline(threads)


def known_roofline(threads: int, environment_id: str | None = None) -> Roofline | None:
    """Roofline that was measured in an environment (this one, where none is named); None where
    none was.
    """
    stored = records.known_result(_key(threads, environment_id))
    return Roofline.from_json(stored["roofline"]) if stored else None


def measured_roofline(threads: int) -> Roofline:
    """Measure now, and keep the better of this and the known roofline: a disturbance only makes it
    slower.

    Raises:
        JobCrashed, JobTimedOut: it could not be measured.
    """
    start, known = time.monotonic(), known_roofline(threads)
    measured = Roofline.from_json(_measure(threads))
    best = better(known, measured) if known else measured
    records.remember_result(
        _key(threads, None), "roofline", {"roofline": to_json(best)}, time.monotonic() - start
    )
    return best


def better(one: Roofline, other: Roofline) -> Roofline:
    """The larger of each pair of numbers, in the form of the second."""
    flops = {name: max(rate, one.flops.get(name, 0.0)) for name, rate in other.flops.items()}
    bandwidths = {
        size: max(rate, one.bytes_per_s.get(size, 0.0)) for size, rate in other.bytes_per_s.items()
    }
    return replace(other, flops=flops, bytes_per_s=bandwidths)


def _key(threads: int, environment_id: str | None) -> str:
    return digest_of(
        ["roofline", environment_id or records.keep_environment(fingerprint()), threads]
    )


def _measure(threads: int) -> dict[str, Any]:
    workdir = new_workdir()
    try:
        return run_module(
            "lab.measure.roofline", [str(threads)], workdir, blas_environment(threads), LIMIT_S
        )
    finally:
        shutil.rmtree(workdir, ignore_errors=True)


def run_module(
    module: str, arguments: list[str], workdir: Path, environment: dict[str, str], limit_s: float
) -> dict[str, Any]:
    """Run `python -m MODULE ARGUMENTS ANSWER.json` and read its answer.

    Raises:
        JobCrashed, JobTimedOut: with the end of what it printed.
    """
    answer, log = workdir / "answer.json", workdir / "log"
    command = [sys.executable, "-m", module, *arguments, str(answer)]
    with log.open("w") as out:
        try:
            done = subprocess.run(
                command,
                cwd=CHECKOUT,
                env={**os.environ, **QUIET, **environment},
                stdout=out,
                stderr=out,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise JobTimedOut(f"{module} took more than {limit_s:.0f} s and was stopped") from error
    if done.returncode or not answer.exists():
        raise JobCrashed(
            f"{module} ended with status {done.returncode}", given=log.read_text()[-1500:]
        )
    return dict(json.loads(answer.read_text()))
