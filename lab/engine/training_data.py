"""Training data of a technique: the dataset's own training set, made once, or else calibration
items, which are not in the test set.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab import registry
from lab.errors import LabError
from lab.formats.feeding import as_input
from lab.home import CHECKOUT
from lab.lazy import np
from lab.plugs import Array, TrainingSet
from lab.store.data import FROM_DISK, load_array, training_folder
from lab.types import ModelCard

CHECKED = 512
"""Calibration items that are looked at while training, at most."""
HELD_OUT = 0.2
"""Share of calibration items that are held out, where the others must be trained on."""


def training_set(where: Path, card: ModelCard) -> TrainingSet:
    """The training set of a card.

    Args:
        where: the folder of its data.

    Raises:
        LabError: the training set could not be made.
    """
    x, y, x_check, y_check, source = _items(where, card)
    task, plan = registry.task(card.task), _plan(card)
    return TrainingSet(
        as_input(x, card.input),
        np.asarray(y),
        as_input(x_check, card.input),
        np.asarray(y_check),
        learns="inputs" if task.learns == "inputs" else task.labels,
        source=source,
        augment=getattr(plan, "augment", None),
        smoothing=getattr(plan, "smoothing", 0.0),
        rate=getattr(plan, "rate", None),
    )


def _items(where: Path, card: ModelCard) -> tuple[Array, Array, Array, Array, str]:
    x, y = load_array(where, "x_calibration"), load_array(where, "y_calibration")
    if card.dataset.startswith(FROM_DISK):
        if (where / "x_train.npy").exists():
            return (
                load_array(where, "x_train"),
                load_array(where, "y_train"),
                x[:CHECKED],
                y[:CHECKED],
                "training set",
            )
    elif registry.dataset(card.dataset).training is not None:
        made = _made(card.dataset)
        return (
            load_array(made, "x"),
            load_array(made, "y"),
            x[:CHECKED],
            y[:CHECKED],
            "training set",
        )
    held = max(1, int(len(x) * HELD_OUT))
    return (
        x[held:],
        y[held:],
        x[:held][:CHECKED],
        y[:held][:CHECKED],
        "calibration items, for lack of a training set",
    )


def _made(dataset_id: str) -> Path:
    """Folder of the training set; of several jobs that need it, the first has it made by a separate
    process.
    """
    made = training_folder(dataset_id)
    with made.with_name(f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            command = [sys.executable, "-m", "lab.store.data", dataset_id, "training"]
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=CHECKOUT, check=False
            )
            if done.returncode or not made.exists():
                raise LabError(
                    f"The training set of {dataset_id!r} could not be made",
                    given=done.stderr.strip()[-500:],
                )
    return made


def _plan(card: ModelCard) -> Any:
    """Training plan of a sample model; None for other models."""
    return (
        getattr(registry.training_recipe(card.id), "PLAN", None)
        if card.id in registry.sample_cards()
        else None
    )
