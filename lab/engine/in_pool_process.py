"""Bodies of jobs that run inside a pool process: plain values and paths in, plain values and paths
out. None of them touches the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lab import registry
from lab.analysis.differences import pack
from lab.engine.calibration import Calibration
from lab.engine.curves import curve_writer, read_curves
from lab.engine.emulating import emulate
from lab.engine.messages import (
    PoolBuildRequest,
    PoolBuilt,
    PoolEvaluated,
    PoolEvaluateRequest,
    Probed,
    ProbeRequest,
)
from lab.engine.training_data import training_set
from lab.errors import InvalidFile
from lab.formats.feeding import as_input, run_all
from lab.lazy import np
from lab.measure.environment import fingerprint
from lab.plugs import Array, Context, Setting, Task, Technique, require
from lab.store.data import load_array
from lab.types import Measurement

BATCH = 100
PER_ITEM = "top1_accuracy"
"""Metric that is the share of correct items, so that two trials can be compared item by item."""


def build_in_pool(request: PoolBuildRequest, workdir: Path) -> PoolBuilt:
    """Apply one technique to a file."""
    from lab.formats.inspect import inspect

    technique = registry.technique(request.step.technique)
    require(f"The technique {technique.id!r}", technique.requires)
    notes: dict[str, Any] = {}
    context = _context(request, workdir, technique, notes)
    file = technique.apply(Path(request.source), request.step.params, context)
    return PoolBuilt(
        str(file),
        technique.produces,
        notes,
        inspect(file, technique.produces),
        tuple(read_curves(workdir)),
    )


def _context(
    request: PoolBuildRequest, workdir: Path, technique: Technique, notes: dict[str, Any]
) -> Context:
    card, data = request.card, Path(request.data)
    items = Calibration(data, card, request.step.params, notes.__setitem__)
    context = Context(workdir, card, items.inputs, items.labelled, notes.__setitem__)
    if not technique.trains:
        return context
    checkpoint = Path(request.checkpoint) if request.checkpoint else None
    if checkpoint:
        checkpoint.mkdir(parents=True, exist_ok=True)
    return replace(
        context,
        training=lambda: training_set(data, card),
        checkpoint=checkpoint,
        tell=curve_writer(workdir),
    )


def evaluate_in_pool(request: PoolEvaluateRequest, workdir: Path) -> PoolEvaluated:
    """Predict the test set in the deployment runtime and compute every metric that outputs or files
    give.
    """
    task, data = registry.task(request.card.task), Path(request.data)
    labels = np.asarray(load_array(data, "y_test")[: request.test_samples])
    session = registry.runtime(request.runtime).load(request.file, request.options)
    inputs = as_input(load_array(data, "x_test")[: request.test_samples], request.card.input)
    outputs = run_all(session, inputs, BATCH)
    _check_outputs(task, outputs, labels, inputs)
    saved = workdir / "outputs.npz"
    np.savez_compressed(saved, outputs=outputs)
    anatomy, anatomy_evidence = _read_anatomy(request, workdir)
    evidence = {
        "outputs": outputs,
        "labels": labels,
        "inputs": inputs,
        **_file_evidence(request, outputs),
        **anatomy_evidence,
    }
    return PoolEvaluated(
        str(saved),
        compute(request.metrics, evidence),
        _correct(task, outputs, inputs, labels),
        _emulated(request, workdir, task, evidence) if request.emulate else {},
        anatomy,
    )


def _correct(task: Task, outputs: Array, inputs: Array, labels: Array) -> dict[str, Any] | None:
    """Items that were predicted correctly, where a task's own metric is their share."""
    predictions = task.predictions(outputs, inputs)
    if task.primary != PER_ITEM or predictions.shape != labels.shape:
        return None
    return pack(predictions == labels, task.primary)


def _emulated(
    request: PoolEvaluateRequest, workdir: Path, task: Task, evidence: Mapping[str, Array]
) -> dict[str, Any]:
    features = tuple(fingerprint()["features"])
    setting = Setting(request.runtime, request.options, features, workdir)
    here = {name: evidence[name] for name in ("inputs", "labels", "outputs")}
    return emulate(Path(request.file), request.format, task, here, setting, BATCH)


def _read_anatomy(
    request: PoolEvaluateRequest, workdir: Path
) -> tuple[str | None, dict[str, Array]]:
    """File of the anatomy, and the evidence that it gives; a file that cannot be read costs no
    trial.
    """
    from lab.formats.anatomy import anatomy

    if not request.read_anatomy:
        return None, {}
    try:
        contents = anatomy(request.file, request.format)
        saved = workdir / "anatomy.json"
        saved.write_text(json.dumps(asdict(contents)))
    except Exception:  # the trial did run: an odd file is no reason to lose it
        return None, {}
    planned = {"live_bytes": np.asarray(contents.live_bytes)} if contents.live_bytes else {}
    zeros = np.asarray([contents.zeros, contents.weights])
    return str(saved), {**planned, "weight_zeros": zeros}


def _check_outputs(task: Task, outputs: Array, labels: Array, inputs: Array) -> None:
    if allowed := task.misfit(outputs, labels, inputs):
        raise InvalidFile(
            f"The model's outputs do not fit the task {task.title.lower()!r}",
            allowed=allowed,
            given=f"outputs of shape {outputs.shape}",
        )
    if not np.isfinite(outputs).all():
        raise InvalidFile(
            "The model answers with NaN or infinity",
            given=f"{int((~np.isfinite(outputs)).any(axis=1).sum())} of {len(outputs)} items",
            remedy="The recipe overflows the number format; choose a wider one",
        )


def _file_evidence(request: PoolEvaluateRequest, outputs: Array) -> dict[str, Array]:
    file = np.fromfile(request.file, dtype=np.uint8)
    if request.is_baseline:
        return {"file": file, "baseline_file": file, "baseline_outputs": outputs}
    if request.baseline_file is None or request.baseline_outputs is None:
        return {"file": file}
    return {
        "file": file,
        "baseline_file": np.fromfile(request.baseline_file, dtype=np.uint8),
        "baseline_outputs": np.load(request.baseline_outputs)["outputs"],
    }


def compute(metric_ids: Sequence[str], evidence: Mapping[str, Any]) -> dict[str, Measurement]:
    """Every metric of the list whose evidence is at hand, by metric id."""
    metrics = [
        m for m in map(registry.metric, metric_ids) if all(name in evidence for name in m.needs)
    ]
    computed = {m.id: m.compute(**{name: evidence[name] for name in m.needs}) for m in metrics}
    return {id_: value for id_, value in computed.items() if value is not None}


def probe_in_pool(request: ProbeRequest, workdir: Path) -> Probed:
    """Measure the task's own metric under each of several ways to turn stored items into input."""
    split, data = ("test" if request.items is None else "calibration"), Path(request.data)
    x = load_array(data, f"x_{split}")[: request.items]
    labels = np.asarray(load_array(data, f"y_{split}")[: request.items])
    runtime, task = registry.runtime(request.runtime), registry.task(request.task)
    session = runtime.load(request.file, {o.id: o.default for o in runtime.options})
    measurements = []
    for spec in request.candidates:
        inputs = as_input(x, spec)
        outputs = run_all(session, inputs, BATCH)
        if request.items is None:  # the way is chosen: now the outputs of all items must fit
            _check_outputs(task, outputs, labels, inputs)
        evidence = {"outputs": outputs, "labels": labels, "inputs": inputs}
        measurements.append(compute([task.primary], evidence)[task.primary])
    return Probed(tuple(measurements))
