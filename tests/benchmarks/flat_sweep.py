"""A sweep as a flat script: the same conversions, quantizations, evaluations and timing rounds, one
process, no engine, no store.

Usage: python -m tests.benchmarks.flat_sweep MODEL_ID OUT.json [SPEC.json]

The data must be in LAB_HOME already. Without a spec it is the quick preset.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

START = time.perf_counter()

import numpy as np  # noqa: E402

import lab  # noqa: E402
from lab import registry  # noqa: E402
from lab.engine.calibration import Calibration  # noqa: E402
from lab.engine.in_pool_process import BATCH  # noqa: E402
from lab.formats.feeding import as_input, fit_items, run_all  # noqa: E402
from lab.measure.rounds import Protocol, time_rounds  # noqa: E402
from lab.plugs import Context  # noqa: E402
from lab.spec.plan import PlannedTrial, plan  # noqa: E402
from lab.store.data import data_folder, load_array  # noqa: E402
from lab.types import ModelCard, Step, StudySpec, Target, canonical_json  # noqa: E402


class FlatSweep:
    """A spec run step by step, with the seconds of each part."""

    def __init__(self, card: ModelCard, spec: StudySpec) -> None:
        self.card, self.spec, self.data = card, spec, data_folder(card)
        n = spec.test_samples
        self.x = as_input(load_array(self.data, "x_test")[:n], card.input)
        self.labels = np.asarray(load_array(self.data, "y_test")[:n])
        self.parts = {"build": 0.0, "evaluate": 0.0, "measure": 0.0}
        self.accuracy: dict[str, float] = {}
        self.files: dict[str, Path] = {}

    def run(self) -> dict[str, Any]:
        """Build and evaluate every trial, then time those of each target in turns."""
        trials = plan(self.spec, self.card).trials
        for trial in trials:
            key = f"{trial.name} {trial.target.to_json()}"
            self.accuracy[key] = self._clock("evaluate", partial(self._evaluate, trial))
        for target in {canonical_json(t.target.to_json()): t.target for t in trials}.values():
            self._measure(target, [t for t in trials if t.target == target])
        return {
            "wall_s": time.perf_counter() - START,
            "parts_s": self.parts,
            "trials": len(trials),
            "accuracy": self.accuracy,
        }

    def _clock(self, part: str, call: Callable[[], Any]) -> Any:
        begin, before = time.perf_counter(), sum(self.parts.values())
        result = call()
        within = sum(self.parts.values()) - before
        self.parts[part] += time.perf_counter() - begin - within
        return result

    def _build(self, steps: tuple[Step, ...]) -> Path:
        if not steps:
            return Path(self.card.path)
        key = canonical_json([s.to_json() for s in steps])
        if key not in self.files:
            source = self._build(steps[:-1])
            self.files[key] = self._clock("build", partial(self._apply, source, steps[-1]))
        return self.files[key]

    def _apply(self, source: Path, step: Step) -> Path:
        items = Calibration(self.data, self.card, step.params, lambda name, value: None)
        context = Context(
            workdir=Path(tempfile.mkdtemp()),
            card=self.card,
            calibration=items.inputs,
            labelled=items.labelled,
        )
        return registry.technique(step.technique).apply(source, step.params, context)

    def _evaluate(self, trial: PlannedTrial) -> float:
        session = self._session(trial)
        return float(np.mean(run_all(session, self.x, BATCH).argmax(axis=1) == self.labels))

    def _session(self, trial: PlannedTrial) -> Any:
        path = str(self._build(trial.recipe.steps))
        return registry.runtime(trial.target.runtime).load(path, trial.target.options)

    def _measure(self, target: Target, trials: list[PlannedTrial]) -> None:
        loads = {trial.name: partial(self._call, trial) for trial in trials}
        protocol = Protocol(
            rounds=self.spec.rounds,
            runs=self.spec.runs,
            turn_s=self.spec.turn_s,
            precision=self.spec.precision,
            budget_s=self.spec.budget_s,
            threads=int(target.options.get("threads", 1)),
            afresh=False,
        )
        self._clock("measure", partial(time_rounds, loads, protocol))

    def _call(self, trial: PlannedTrial) -> Callable[[], Any]:
        session = self._session(trial)
        return partial(session.run, session.prepare(fit_items(self.x[:1], session.input.shape)))


def main(model_id: str, out: str, spec: str | None = None) -> None:
    """Run the sweep and write what it took."""
    more = json.loads(Path(spec).read_text()) if spec else {}
    if "targets" in more:
        more["targets"] = [Target.from_json(target) for target in more["targets"]]
    made = lab.make_spec(model_id, "quick", **more)
    Path(out).write_text(json.dumps(FlatSweep(lab.model(model_id), made).run()))


if __name__ == "__main__":
    main(*sys.argv[1:])
