"""What runs inside a worker process: plain values and paths in, plain values and paths out. Nothing here touches the database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import registry
from lab.errors import InvalidFile
from lab.formats.feeding import run_all
from lab.lazy import np
from lab.plugs import Array, Context, Technique, require
from lab.store.data import as_input, load_array
from lab.types import InputSpec, ModelCard

INSPECTED = ("onnx", "tflite")
BATCH = 100


def build(request: Mapping[str, Any]) -> dict[str, Any]:
    """Apply one technique.

    Args:
        request: {"technique", "params", "source", "card", "data", "workdir"}.

    Returns:
        {"file", "format", "notes", "inspection"}.
    """
    from lab.formats.inspect import inspect

    technique = registry.technique(request["technique"])
    require(f"The technique {technique.id!r}", technique.requires)
    notes: dict[str, Any] = {}
    context = _context(request, technique, notes)
    file = technique.apply(Path(request["source"]), request["params"], context)
    found = inspect(file, technique.produces) if technique.produces in INSPECTED else {}
    return {"file": str(file), "format": technique.produces, "notes": notes, "inspection": found}


def _context(request: Mapping[str, Any], technique: Technique, notes: dict[str, Any]) -> Context:
    card = ModelCard.from_json(request["card"])

    def calibration(n: int) -> Array:
        stored = load_array(Path(request["data"]), "x_calibration")
        if n > len(stored):
            notes["calibration"] = f"asked for {n} samples, the data hold {len(stored)}"
        return as_input(stored[:n], card.input)

    return Context(Path(request["workdir"]), card, calibration, notes.__setitem__)


def evaluate(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the test set in the deployment runtime and compute every metric that outputs or files give.

    Args:
        request: {"runtime", "options", "path", "card", "data", "test_samples", "baseline_path", "baseline_outputs",
            "metrics", "is_baseline", "workdir"}; the baseline's entries are None for the baseline itself, and where it
            could not be evaluated: what compares with it is left out then.

    Returns:
        {"outputs": path of an .npz, "measurements": {metric: JSON}}.
    """
    card = ModelCard.from_json(request["card"])
    where, n = Path(request["data"]), request["test_samples"]
    labels = np.asarray(load_array(where, "y_test")[:n])
    session = registry.runtime(request["runtime"]).load(request["path"], request["options"])
    outputs = run_all(session, as_input(load_array(where, "x_test")[:n], card.input), BATCH)
    _check_outputs(outputs, labels)
    saved = Path(request["workdir"]) / "outputs.npz"
    np.savez_compressed(saved, outputs=outputs)
    evidence = {"outputs": outputs, "labels": labels, **_files(request, outputs)}
    return {"outputs": str(saved), "measurements": compute(request["metrics"], evidence)}


def _check_outputs(outputs: Array, labels: Array) -> None:
    if outputs.ndim != 2 or len(outputs) != len(labels) or outputs.shape[1] <= labels.max():
        raise InvalidFile("The model's outputs do not fit the labels", given=f"outputs of shape {outputs.shape}, labels up to {labels.max()}",
                          allowed=f"({len(labels)}, at least {int(labels.max()) + 1} classes)")  # fmt: skip
    if not np.isfinite(outputs).all():
        raise InvalidFile("The model answers with NaN or infinity", given=f"{int((~np.isfinite(outputs)).any(axis=1).sum())} of {len(outputs)} items",
                          remedy="The recipe overflows the number format; choose a wider one")  # fmt: skip


def _files(request: Mapping[str, Any], outputs: Array) -> dict[str, Array]:
    file = np.fromfile(request["path"], dtype=np.uint8)
    if request["is_baseline"]:
        return {"file": file, "baseline_file": file, "baseline_outputs": outputs}
    if request["baseline_path"] is None:
        return {"file": file}
    return {"file": file, "baseline_file": np.fromfile(request["baseline_path"], dtype=np.uint8),
            "baseline_outputs": np.load(request["baseline_outputs"])["outputs"]}  # fmt: skip


def compute(metric_ids: list[str], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Every metric of the list whose evidence is at hand, as JSON by metric id."""
    wanted = [m for m in map(registry.metric, metric_ids) if all(name in evidence for name in m.needs)]
    return {m.id: m.compute(**{name: evidence[name] for name in m.needs}).to_json() for m in wanted}


def probe(request: Mapping[str, Any]) -> dict[str, Any]:
    """Top-1 accuracy under each of several ways to turn stored items into input.

    Args:
        request: {"runtime", "path", "data", "candidates": [InputSpec as JSON], "n"}; n calibration items, or None for all test items.

    Returns:
        {"accuracies": one a candidate}.
    """
    split, where = ("test" if request["n"] is None else "calibration"), Path(request["data"])
    x, labels = (
        load_array(where, f"x_{split}")[: request["n"]],
        np.asarray(load_array(where, f"y_{split}")[: request["n"]]),
    )
    runtime = registry.runtime(request["runtime"])
    session = runtime.load(request["path"], {o.id: o.default for o in runtime.options})
    specs = [InputSpec.from_json(c) for c in request["candidates"]]
    answers = [run_all(session, as_input(x, spec), BATCH) for spec in specs]
    if request["n"] is None:  # the way is chosen: now the model must answer for all of them
        _check_outputs(answers[0], labels)
    return {"accuracies": [float(np.mean(a.argmax(axis=-1) == labels)) for a in answers]}
