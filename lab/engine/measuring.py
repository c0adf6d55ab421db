"""Starts the measuring process and waits for it; a cancelled or hanging one is killed with all of
its children.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.engine.pool_process import QUIET, error_json
from lab.errors import JobCancelled, JobCrashed, JobTimedOut
from lab.home import CHECKOUT, new_workdir

POLL_S = 0.05
SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measure(
    request: Mapping[str, Any], timeout_s: float, cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Run `lab.measure.child` on a request.

    Returns:
        its answer with "workdir", or {"error": {...}, "workdir"} where the process as a whole
        failed.
    """
    workdir = new_workdir()
    source, answer = workdir / "request.json", workdir / "answer.json"
    source.write_text(json.dumps(request))
    command = [sys.executable, "-m", "lab.measure.child", str(source), str(answer)]
    with (workdir / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **QUIET, **SINGLE},
        )
    try:
        _wait(process, timeout_s, cancelled)
        found = _read(process, answer, workdir / "log")
    except (JobCancelled, JobTimedOut, JobCrashed) as error:
        found = {"error": error_json(error)}
    return {**found, "workdir": str(workdir)}


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float, cancelled: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + timeout_s
    while process.poll() is None:
        if (stop := cancelled()) or time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise (
                JobCancelled("The study was cancelled")
                if stop
                else JobTimedOut(f"Measuring took more than {timeout_s:.0f} s and was stopped")
            )
        time.sleep(POLL_S)


def _read(process: subprocess.Popen[bytes], answer: Path, log: Path) -> dict[str, Any]:
    if process.returncode != 0 or not answer.exists():
        code = process.returncode
        cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        raise JobCrashed(f"The measuring process crashed ({cause})", given=log.read_text()[-1500:])
    return dict(json.loads(answer.read_text()))
