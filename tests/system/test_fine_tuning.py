"""Trainings are cancelled at once, survive a kill, and are made once however many quantizations
follow.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

import lab
from lab.store import records
from lab.types import FINISHED
from tests.system.checkout import Checkout, alive, descendants, until

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.usefixtures("same_home")]
TRAINING = "keras_fine_tune"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("training"))


def tuning(
    checkout: Checkout, started: list[subprocess.Popen[str]], steps: int
) -> tuple[subprocess.Popen[str], str]:
    """A sweep that trains once and quantizes what came out in two ways, and the study's id."""
    chain = [
        {TRAINING: {"train_steps": [steps], "batch_size": [32]}},
        {"": {}, "tflite_static_wi8_ai8": {}, "tflite_dynamic_wi8_afp32": {}},
    ]
    known = {s.id for s in lab.studies()}
    process = checkout.start(
        "sweep",
        "digits_lenet",
        "--spec",
        checkout.spec({"chains": [chain], "targets": [{"runtime": "litert"}]}),
    )
    started.append(process)
    return process, until(
        lambda: next((s.id for s in lab.studies() if s.id not in known), None), 20, "the study"
    )


def checkpoint(checkout: Checkout) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that has been written."""
    files = sorted(
        (checkout.home / "checkpoints").glob("*/train.json"), key=lambda file: file.stat().st_mtime
    )
    return (files[-1], json.loads(files[-1].read_text())) if files else None


def trainers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Worker processes below a sweep that use the CPU."""
    return [p for p in descendants(process.pid) if p.cpu_times().user > 3]


def test_a_killed_training_goes_on_from_its_checkpoint_and_is_made_once(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    process, study = tuning(checkout, started, 6000)
    until(lambda: checkpoint(checkout), 120, "a checkpoint")
    below = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not alive(below), 10, "no orphans")
    _, before = checkpoint(checkout) or (None, {})
    assert 0 < before["step"] < 6000
    resumed = checkout.lab("resume", study)
    assert resumed.returncode == 0, resumed.stderr
    trials = lab.trials(study)
    assert {t.state for t in trials} == {"complete"}, [t.error for t in trials]
    (curve,) = next(t for t in trials if t.name == "finetune6000_batch32").details.training
    assert (
        curve["points"][: len(before["points"])] == before["points"]
    )  # nothing that had been learnt was learnt again
    assert curve["points"][-1]["step"] == 6000
    assert all(t.details.training == (curve,) for t in trials if not t.is_baseline)
    counted = Counter(
        job["label"]
        for job in lab.jobs(study)
        if job["kind"] == "build" and job["outcome"] == "complete"
    )
    assert counted[TRAINING] == 1
    assert counted["tflite_static_wi8_ai8"] == counted["tflite_dynamic_wi8_afp32"] == 1
    assert not list((checkout.home / "checkpoints").glob("*/train.json"))


def test_cancelling_stops_a_training_within_two_seconds(
    checkout: Checkout, started: list[subprocess.Popen[str]]
) -> None:
    process, study = tuning(checkout, started, 1_000_000)
    (key,) = until(lambda: _training_keys(study), 20, "the trials")
    told = until(lambda: now(key), 120, "a curve")
    assert {"loss", "seconds", "step"} <= set(told)
    until(lambda: checkpoint(checkout), 60, "a checkpoint")
    working = trainers(process)
    assert working
    lab.cancel(study)
    began = time.monotonic()
    until(lambda: lab.study(study).state in FINISHED and not alive(working), 2, "all is still")
    assert time.monotonic() - began < 2
    assert lab.study(study).state == "cancelled"
    assert checkpoint(checkout) is not None  # resumed, it would go on from there
    process.communicate(timeout=20)


def now(key: str) -> dict[str, Any] | None:
    """Where a training is, as the store tells it."""
    phases = records.curves([key]).get(key, {}).get("phases")
    return phases[0].get("now") if phases else None


def _training_keys(study: str) -> set[str]:
    """Keys of the steps that train."""
    from lab.engine.study_run import StudyRun

    run = StudyRun(study, None)  # type: ignore[arg-type]
    run._prepare()
    chains = [t.recipe.steps for t in lab.trials(study)]
    return {
        run.source.step_key(steps[: n + 1])
        for steps in chains
        for n, step in enumerate(steps)
        if step.technique == TRAINING
    }
