"""Sweeps of several models in one process and one store, so that the toolchains are loaded once.

    python -m tests.sweeping FOLDER MODEL…

writes FOLDER/MODEL.json, or FOLDER/MODEL.error, as each sweep ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from traceback import format_exception
from typing import Any

ROOT = Path(__file__).parents[1]
AT_ONCE = 2
"""Sweeps, as many as an engine runs: while one is measured, the other waits."""
SPEC = {"rounds": 2, "runs": 3, "precision": 1.0, "budget_s": 0.0, "test_samples": 300}
"""No test asks how quick a model is, and whoever asks how accurate predicts the whole test set
itself: 16-bit activations run on reference kernels, which take most of the time.
"""
POLL_S = 0.1


class Sweeps:
    """The sweeps of these models, begun at once and in this order.

    Attributes:
        folder: what they write, their store included.
    """

    def __init__(self, folder: Path, models: list[str]) -> None:
        self.folder = folder
        environment = {**os.environ, "LAB_HOME": str(folder / "home")}
        environment.pop("LAB_DATABASE_URL", None)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.sweeping", str(folder), *models],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def result(self, model: str) -> dict[str, Any]:
        """Wait until a model is swept; what the command wrote."""
        while not (made := self._written(model)) and self.process.poll() is None:
            time.sleep(POLL_S)
        assert made or self._written(model), (self.folder / "log").read_text()[-4000:]
        error = self.folder / f"{model}.error"
        assert not error.exists(), error.read_text()
        return dict(json.loads((self.folder / f"{model}.json").read_text()))

    def _written(self, model: str) -> bool:
        return any((self.folder / f"{model}.{kind}").exists() for kind in ("json", "error"))

    def stop(self) -> None:
        """End the process, whatever is left."""
        self.process.terminate()
        self.process.wait()


def reachable(model: str) -> list[str]:
    """The runtimes that a model can be converted for."""
    import lab

    return sorted(target.runtime for target in lab.make_spec(model, "full").targets)


def sweep(folder: Path, model: str) -> None:
    """Run the command `sweep` with the quick preset, on every runtime that the model can reach."""
    from lab.cli.commands import main

    where = [word for runtime in reachable(model) for word in ("--target", runtime)]
    spec, out = folder / "spec.json", folder / f"{model}.part"
    try:
        main(["sweep", model, "--preset", "quick", "--spec", str(spec), "--json", str(out), *where])
        out.rename(folder / f"{model}.json")
    except (Exception, SystemExit) as error:
        (folder / f"{model}.error").write_text("".join(format_exception(error)))


if __name__ == "__main__":
    into, wanted = Path(sys.argv[1]), sys.argv[2:]
    (into / "spec.json").write_text(json.dumps(SPEC))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for id_ in wanted:
            threads.submit(sweep, into, id_)
