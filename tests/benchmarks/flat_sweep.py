"""The quick sweep as a flat script: the same conversions, quantizations, evaluations and timing
rounds, one process, no engine, no store.

Usage: python -m tests.benchmarks.flat_sweep MODEL_ID OUT.json  (data must be in LAB_HOME already)
"""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

start = time.perf_counter()

import numpy as np  # noqa: E402

import lab  # noqa: E402
from lab import registry  # noqa: E402
from lab.engine.in_pool_process import BATCH  # noqa: E402
from lab.formats.feeding import (  # noqa: E402
    as_input,
    fit_items,
    run_all,
)
from lab.measure.rounds import Protocol, time_rounds  # noqa: E402
from lab.plugs import Context  # noqa: E402
from lab.spec.plan import plan  # noqa: E402
from lab.store.data import data_folder, load_array  # noqa: E402
from lab.types import canonical_json  # noqa: E402

model_id, out = sys.argv[1:]
card = lab.model(model_id)
spec = lab.make_spec(model_id, "quick")
data = data_folder(card)
x = as_input(load_array(data, "x_test"), card.input)
labels = np.asarray(load_array(data, "y_test"))
calibration = as_input(load_array(data, "x_calibration"), card.input)
parts: dict[str, float] = {"build": 0.0, "evaluate": 0.0, "measure": 0.0}
files: dict[str, Path] = {}
accuracy: dict[str, float] = {}


def clock(part, call):
    begin = time.perf_counter()
    result = call()
    parts[part] += time.perf_counter() - begin
    return result


def build(steps):
    if not steps:
        return Path(card.path)
    key = canonical_json([s.to_json() for s in steps])
    if key not in files:
        before = build(steps[:-1])
        technique = registry.technique(steps[-1].technique)
        context = Context(Path(tempfile.mkdtemp()), card, lambda n: calibration[:n])
        files[key] = clock("build", lambda: technique.apply(before, steps[-1].params, context))
    return files[key]


def evaluate(path, target):
    session = registry.runtime(target.runtime).load(str(path), target.options)
    return float(np.mean(run_all(session, x, BATCH).argmax(axis=1) == labels))


trials = plan(spec, card).trials
for trial in trials:
    path = build(trial.recipe.steps)
    accuracy[f"{trial.name} {trial.target.to_json()}"] = clock(
        "evaluate", partial(evaluate, path, trial.target)
    )
for target in {canonical_json(t.target.to_json()): t.target for t in trials}.values():
    calls = {}
    for trial in (t for t in trials if t.target == target):
        session = registry.runtime(target.runtime).load(
            str(build(trial.recipe.steps)), target.options
        )
        calls[trial.name] = partial(
            session.run, session.prepare(fit_items(x[:1], session.input.shape))
        )
    threads = int(target.options.get("threads", 1))
    protocol = Protocol(
        spec.rounds, spec.runs, spec.turn_s, spec.precision, spec.budget_s, threads, afresh=False
    )
    clock(
        "measure",
        partial(
            time_rounds, {name: lambda call=call: call for name, call in calls.items()}, protocol
        ),
    )

wall_s = time.perf_counter() - start
Path(out).write_text(
    json.dumps({"wall_s": wall_s, "parts_s": parts, "trials": len(trials), "accuracy": accuracy})
)
