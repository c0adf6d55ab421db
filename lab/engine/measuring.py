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
from collections.abc import Callable
from pathlib import Path

from lab.engine.messages import Failure, ProcessResult
from lab.engine.pool_process import QUIET
from lab.errors import JobCancelled, JobCrashed, JobTimedOut
from lab.home import CHECKOUT, new_workdir
from lab.measure.messages import MeasuredVariants, MeasureVariantsRequest

POLL_S = 0.05
SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measure(
    request: MeasureVariantsRequest, timeout_s: float, cancelled: Callable[[], bool]
) -> ProcessResult[MeasuredVariants]:
    """Run `lab.measure.child` on a request.

    Returns:
        its result with the work folder; a Failure where the process as a whole failed.
    """
    workdir = new_workdir()
    source, target = workdir / "request.json", workdir / "result.json"
    source.write_text(json.dumps(request.to_json()))
    command = [sys.executable, "-m", "lab.measure.child", str(source), str(target)]
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
        return ProcessResult(_read(process, target, workdir / "log"), workdir)
    except (JobCancelled, JobTimedOut, JobCrashed) as error:
        return ProcessResult(Failure.of(error), workdir)


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


def _read(process: subprocess.Popen[bytes], result: Path, log: Path) -> MeasuredVariants:
    if process.returncode != 0 or not result.exists():
        code = process.returncode
        cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        raise JobCrashed(f"The measuring process crashed ({cause})", given=log.read_text()[-1500:])
    return MeasuredVariants.from_json(json.loads(result.read_text()))
