"""Calibration items for a technique: chosen from the data, or made where none may be used."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engine.distilling import MOST
from lab.errors import InvalidFile
from lab.formats.feeding import as_input
from lab.home import CHECKOUT
from lab.lazy import np
from lab.plugs import Array
from lab.store.data import load_array
from lab.types import ModelCard, digest_of


@dataclass(frozen=True)
class Calibration:
    """The calibration items of a step.

    Attributes:
        where: folder with the arrays of the data set.
        params: the step's parameters; `calibration_seed` and `calibration_source` choose.
        note: keeps a fact about the job.
    """

    where: Path
    card: ModelCard
    params: Mapping[str, Any]
    note: Callable[[str, Any], None]

    def inputs(self, n: int) -> Array:
        """Items as the model takes them, shape (n, *card.input.shape)."""
        source = self.params.get("calibration_source", "data")
        if source == "data":
            return as_input(self._stored("x_calibration", n), self.card.input)
        items = self._noise(n) if source == "noise" else self._distilled(min(n, MOST))
        self.note("calibration", f"no data used: {len(items)} items made from {_WORDS[source]}")
        return items

    def labelled(self, n: int) -> tuple[Array, Array]:
        """Items with their labels; always from the data, since noise has no labels."""
        return as_input(self._stored("x_calibration", n), self.card.input), self._stored(
            "y_calibration", n
        )

    def _stored(self, name: str, n: int) -> Array:
        whole = load_array(self.where, name)
        if n > len(whole):
            self.note("calibration", f"asked for {n} samples, the data hold {len(whole)}")
        if not self.seed:
            return np.asarray(whole[:n])
        return np.asarray(
            whole[np.sort(np.random.default_rng(self.seed).permutation(len(whole))[:n])]
        )

    @property
    def seed(self) -> int:
        """0 takes the first items."""
        return int(self.params.get("calibration_seed", 0))

    def _noise(self, n: int) -> Array:
        """Items drawn uniformly over the range of the stored numbers: two numbers that a model's
        documentation states.
        """
        stored, rng = load_array(self.where, "x_calibration"), np.random.default_rng(self.seed)
        low, high = stored.min(), stored.max()
        whole = np.issubdtype(stored.dtype, np.integer)
        shape = (n, *stored.shape[1:])
        drawn = (
            rng.integers(int(low), int(high), shape, endpoint=True)
            if whole
            else rng.uniform(low, high, shape)
        )
        return as_input(drawn.astype(stored.dtype), self.card.input)

    def _distilled(self, n: int) -> Array:
        """Items made once by a separate process, which loads the model's framework, and kept beside
        the data.

        Raises:
            InvalidFile: the model has no batch normalisation to learn from.
        """
        stored = load_array(self.where, "x_calibration")
        span = as_input(np.stack([stored.min(axis=0), stored.max(axis=0)]), self.card.input)
        key = digest_of(
            [Path(self.card.path).stem, n, self.seed, [float(span.min()), float(span.max())], 1]
        )[:24]
        kept = self.where / f"distilled-{key}.npy"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_EX
            )  # several techniques want the same items at the same time
            if not kept.exists():
                self._distil(kept, n, float(span.min()), float(span.max()))
        return np.asarray(np.load(kept))

    def _distil(self, target: Path, n: int, low: float, high: float) -> None:
        temporary = target.with_name(f".part-{os.getpid()}.npy")
        command = [
            sys.executable,
            "-m",
            "lab.engine.distilling",
            self.card.path,
            self.card.format,
            str(n),
            str(self.seed),
            str(low),
            str(high),
            str(temporary),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
        if done.returncode:
            raise InvalidFile(
                "No calibration items can be made from this model's batch normalisations",
                given=done.stderr.strip().splitlines()[-1:],
                remedy="Calibrate with data or with noise",
            )
        os.replace(temporary, target)


_WORDS = {
    "noise": "noise over the input's range of values",
    "batch_norm": "the statistics of batch normalisations",
}
