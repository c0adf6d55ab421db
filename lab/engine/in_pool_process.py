"""What runs inside a worker process: plain values and paths in, plain values and paths out. Nothing
here touches the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lab import registry
from lab.analysis.differences import pack
from lab.engine.calibration import Calibration
from lab.engine.curves import teller, told
from lab.engine.emulating import elsewhere
from lab.engine.training_data import training_set
from lab.errors import InvalidFile
from lab.formats.feeding import as_input, run_all
from lab.lazy import np
from lab.measure.environment import fingerprint
from lab.plugs import Array, Context, Setting, Task, Technique, require
from lab.store.data import load_array
from lab.types import InputSpec, ModelCard

BATCH = 100
PER_ITEM = "top1_accuracy"
"""The metric that is the share of items answered rightly, so that two trials can be compared item
by item.
"""


def build(request: Mapping[str, Any]) -> dict[str, Any]:
    """Apply one technique.

    Args:
        request: {"technique", "params", "source", "card", "data", "checkpoint", "workdir"};
            "checkpoint" is a folder, None for none.

    Returns:
        {"file", "format", "notes", "inspection", "curves"}.
    """
    from lab.formats.inspect import inspect

    technique = registry.technique(request["technique"])
    require(f"The technique {technique.id!r}", technique.requires)
    notes: dict[str, Any] = {}
    context = _context(request, technique, notes)
    file = technique.apply(Path(request["source"]), request["params"], context)
    return {
        "file": str(file),
        "format": technique.produces,
        "notes": notes,
        "inspection": inspect(file, technique.produces),
        "curves": told(Path(request["workdir"])),
    }


def _context(request: Mapping[str, Any], technique: Technique, notes: dict[str, Any]) -> Context:
    card, workdir = ModelCard.from_json(request["card"]), Path(request["workdir"])
    items = Calibration(Path(request["data"]), card, request["params"], notes.__setitem__)
    usual = Context(workdir, card, items.inputs, items.labelled, notes.__setitem__)
    if not technique.trains:
        return usual
    checkpoint = Path(request["checkpoint"]) if request.get("checkpoint") else None
    if checkpoint:
        checkpoint.mkdir(parents=True, exist_ok=True)
    return replace(
        usual,
        training=lambda: training_set(Path(request["data"]), card),
        checkpoint=checkpoint,
        tell=teller(workdir),
    )


def evaluate(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the test set in the deployment runtime and compute every metric that outputs or files
    give.

    Args:
        request: {"runtime", "options", "path", "card", "data", "test_samples", "baseline_path",
            "baseline_outputs",
            "metrics", "is_baseline", "elsewhere", "anatomy", "workdir"}; the baseline's entries are
            None for the baseline itself, and
            where it could not be evaluated: what compares with it is left out then. "elsewhere" and
            "anatomy" are the file's format where other machines, and what the file consists of, are
            asked for, too.

    Returns:
        {"outputs": path of an .npz, "measurements": {metric: JSON}, "right": see
        `lab.analysis.differences`, "elsewhere": see `lab.engine.emulating`,
        "anatomy": path of its JSON, "" where it is not known}.
    """
    card = ModelCard.from_json(request["card"])
    where, n = Path(request["data"]), request["test_samples"]
    labels = np.asarray(load_array(where, "y_test")[:n])
    session = registry.runtime(request["runtime"]).load(request["path"], request["options"])
    inputs = as_input(load_array(where, "x_test")[:n], card.input)
    outputs = run_all(session, inputs, BATCH)
    _check_outputs(registry.task(card.task), outputs, labels, inputs)
    saved = Path(request["workdir"]) / "outputs.npz"
    np.savez_compressed(saved, outputs=outputs)
    anatomy, live = _anatomy(request)
    evidence = {
        "outputs": outputs,
        "labels": labels,
        "inputs": inputs,
        **_files(request, outputs),
        **live,
    }
    return {
        "outputs": str(saved),
        "measurements": compute(request["metrics"], evidence),
        "anatomy": anatomy,
        "right": _right(registry.task(card.task), outputs, inputs, labels),
        "elsewhere": (
            _elsewhere(request, registry.task(card.task), evidence)
            if request.get("elsewhere")
            else {}
        ),
    }


def _right(task: Task, outputs: Array, inputs: Array, labels: Array) -> dict[str, Any] | None:
    """Which items were answered rightly, where a task's own metric is their share."""
    answers = task.answers(outputs, inputs)
    if task.primary != PER_ITEM or answers.shape != labels.shape:
        return None
    return pack(answers == labels, task.primary)


def _elsewhere(
    request: Mapping[str, Any], task: Task, evidence: Mapping[str, Array]
) -> dict[str, Any]:
    setting = Setting(
        request["runtime"],
        request["options"],
        tuple(fingerprint()["features"]),
        Path(request["workdir"]),
    )
    answered = {name: evidence[name] for name in ("inputs", "labels", "outputs")}
    return elsewhere(Path(request["path"]), request["elsewhere"], task, answered, setting, BATCH)


def _anatomy(request: Mapping[str, Any]) -> tuple[str, dict[str, Array]]:
    """The file of the anatomy, and the evidence that it gives; nothing where it cannot be told,
    which costs no trial.
    """
    from lab.formats.anatomy import anatomy

    if not request.get("anatomy"):
        return "", {}
    try:
        found = anatomy(request["path"], request["anatomy"])
        saved = Path(request["workdir"]) / "anatomy.json"
        saved.write_text(json.dumps(asdict(found)))
    except Exception:  # the trial did run: whatever is odd about its file is no reason to lose it
        return "", {}
    planned = {"live_bytes": np.asarray(found.live_bytes)} if found.live_bytes else {}
    return str(saved), {**planned, "weight_zeros": np.asarray([found.zeros, found.weights])}


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


def _files(request: Mapping[str, Any], outputs: Array) -> dict[str, Array]:
    file = np.fromfile(request["path"], dtype=np.uint8)
    if request["is_baseline"]:
        return {"file": file, "baseline_file": file, "baseline_outputs": outputs}
    if request["baseline_path"] is None:
        return {"file": file}
    return {
        "file": file,
        "baseline_file": np.fromfile(request["baseline_path"], dtype=np.uint8),
        "baseline_outputs": np.load(request["baseline_outputs"])["outputs"],
    }


def compute(metric_ids: list[str], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Every metric of the list whose evidence is at hand, as JSON by metric id."""
    wanted = [
        m for m in map(registry.metric, metric_ids) if all(name in evidence for name in m.needs)
    ]
    found = {m.id: m.compute(**{name: evidence[name] for name in m.needs}) for m in wanted}
    return {
        id_: measurement.to_json() for id_, measurement in found.items() if measurement is not None
    }


def probe(request: Mapping[str, Any]) -> dict[str, Any]:
    """The task's own metric under each of several ways to turn stored items into input.

    Args:
        request: {"runtime", "path", "data", "task", "candidates": [InputSpec as JSON], "n"}; n
            calibration items, or None
            for all test items.

    Returns:
        {"found": measurements as JSON, one a candidate}.
    """
    split, where = ("test" if request["n"] is None else "calibration"), Path(request["data"])
    x, labels = (
        load_array(where, f"x_{split}")[: request["n"]],
        np.asarray(load_array(where, f"y_{split}")[: request["n"]]),
    )
    runtime, task = registry.runtime(request["runtime"]), registry.task(request["task"])
    session = runtime.load(request["path"], {o.id: o.default for o in runtime.options})
    found = []
    for spec in map(InputSpec.from_json, request["candidates"]):
        inputs = as_input(x, spec)
        outputs = run_all(session, inputs, BATCH)
        if request["n"] is None:  # the way is chosen: now the model must answer for all of them
            _check_outputs(task, outputs, labels, inputs)
        found.append(
            compute([task.primary], {"outputs": outputs, "labels": labels, "inputs": inputs})[
                task.primary
            ]
        )
    return {"found": found}
