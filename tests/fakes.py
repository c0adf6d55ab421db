"""Made-up studies for tests that need no store and no engine."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from lab.analysis.differences import pack
from lab.evidence import Anatomy, OperatorFacts, OperatorTime, Profile
from lab.plugs import Metric
from lab.types import (
    Artifact,
    Measurement,
    Objective,
    Recipe,
    Step,
    Study,
    StudySpec,
    Target,
    Trial,
    TrialDetails,
)

OBJECTIVES = StudySpec("digits_lenet").objectives


def _metric(id_: str, title: str, unit: str, direction: str, *, about_both: bool = False) -> Metric:
    given = (
        id_,
        title,
        f"Help for {title}.",
        unit,
        direction,
        (),
        lambda **_: Measurement(id_, 0.0, unit),
    )
    return Metric(*given, about_both=about_both)  # type: ignore[arg-type]


METRICS = {
    m.id: m
    for m in (
        _metric("top1_accuracy", "Top-1 accuracy", "1", "maximize"),
        _metric("agreement", "Agreement with float", "1", "maximize", about_both=True),
        _metric("size_bytes", "File size", "B", "minimize"),
        _metric("download_bytes", "Compressed download", "B", "minimize"),
        _metric("latency_s", "Latency (median)", "s", "minimize"),
        _metric("latency_p90_s", "Latency (p90)", "s", "minimize"),
        _metric("cold_load_s", "Cold load", "s", "minimize"),
        _metric("peak_rss_bytes", "Peak memory", "B", "minimize"),
    )
}


def measured(metric: str, value: float, spread: float = 0.0, n: int = 100) -> Measurement:
    """A Measurement whose interval reaches `spread` to both sides; exact where it is 0."""
    low, high = (value - spread, value + spread) if spread else (None, None)
    return Measurement(metric, value, METRICS[metric].unit, n, low, high)


def measured_in(metric: str, value: float, unit: str, spread: float = 0.0) -> Measurement:
    """A Measurement of a metric that the fakes do not know."""
    return Measurement(metric, value, unit, 100, value - spread, value + spread)


def trial(
    name: str,
    accuracy: float,
    size: float,
    latency: float,
    *,
    runtime: str = "ort",
    position: int = 0,
    spread: tuple[float, float] = (0.0, 0.0),
    baseline: bool = False,
    environment: str = "env-1",
    study: str = "study-1",
) -> Trial:
    """A complete trial."""
    numbers = {
        "top1_accuracy": measured("top1_accuracy", accuracy, spread[0], 597),
        "agreement": measured("agreement", min(1.0, accuracy + 0.02), spread[0], 597),
        "size_bytes": measured("size_bytes", size, n=1),
        "download_bytes": measured("download_bytes", size * 0.8, n=1),
        "latency_s": measured("latency_s", latency, spread[1], 500),
        "latency_p90_s": measured("latency_p90_s", latency * 1.1, spread[1], 500),
        "cold_load_s": measured("cold_load_s", 0.02, 0.001, 5),
        "peak_rss_bytes": measured("peak_rss_bytes", 4e6 + 3 * size, 1e5, 5),
    }
    recipe = Recipe(
        (Step("torch_to_onnx"),)
        + (() if baseline else (Step("quantize", {"bits": 8, "granularity": name}),))
    )
    return Trial(
        f"t{position:04d}-{study}",
        study,
        position,
        name,
        recipe,
        Target(runtime, {"threads": 1}),
        "complete",
        is_baseline=baseline,
        artifact=Artifact("model.onnx", "onnx", f"{position:064d}", int(size)),
        measurements=numbers,
        environment=environment,
        float_operators={} if baseline else {"Softmax": 1},
        details=TrialDetails(other={"seconds": {"build": 1.2, "latency": 3.4}}),
    )


def trials(count: int = 24, seed: int = 0, study: str = "study-1", failed: int = 1) -> list[Trial]:
    """A float baseline on each of two runtimes, variants around them, and at the end some that
    failed.
    """
    random = np.random.default_rng(seed)
    made = [
        trial(
            "float32",
            0.962,
            345e3,
            5.0e-4,
            position=0,
            baseline=True,
            spread=(0.013, 1e-5),
            study=study,
        ),
        trial(
            "float32",
            0.962,
            338e3,
            4.1e-4,
            position=1,
            runtime="litert",
            baseline=True,
            spread=(0.013, 1e-5),
            study=study,
        ),
    ]
    for position in range(2, count - failed):
        accuracy = float(np.clip(0.965 - random.exponential(0.02), 0.3, 1.0))
        size, latency = float(random.uniform(60e3, 340e3)), float(random.uniform(2.4e-4, 9e-4))
        made.append(
            trial(
                f"static_wi8_ai8_{position}",
                accuracy,
                size,
                latency,
                runtime="ort" if position % 2 else "litert",
                position=position,
                spread=(0.014, 2e-5),
                study=study,
            )
        )
    return made + [broken(position, study) for position in range(count - failed, count)]


def broken(position: int, study: str = "study-1") -> Trial:
    """A trial that failed."""
    error = {
        "type": "JobCrashed",
        "problem": "The runtime refused the file",
        "allowed": "",
        "given": None,
        "remedy": "Try per-channel weights",
        "message": "The runtime refused the file. Try per-channel weights.",
    }
    return Trial(
        f"t{position:04d}-{study}",
        study,
        position,
        f"weight_wi4_{position}",
        Recipe((Step("quantize", {"bits": 4}),)),
        Target("ort", {"threads": 1}),
        "failed",
        error=error,
    )


def study(id_: str = "study-1", state: str = "complete", **more: object) -> Study:
    """A study of the fake model."""
    spec = StudySpec(
        "digits_lenet",
        preset="quick",
        targets=(Target("ort", {"threads": 1}), Target("litert", {"threads": 1})),
    )
    made = Study(
        id_,
        "digits_lenet",
        state,
        spec,
        "Digits, first try",
        "2026-11-22T10:00:00+00:00",
        revision=7,
    )  # type: ignore[arg-type]
    return replace(made, **more)  # type: ignore[arg-type]


def objective(metric: str) -> Objective:
    """The metric with its own direction."""
    return Objective(metric, METRICS[metric].direction)


def with_evidence(made: list[Trial], folder: Path) -> list[Trial]:
    """The complete trials with what comparisons and reasons are drawn from: items, rounds, a
    profile, an anatomy.
    """
    return [_with_evidence(t, folder) if t.state == "complete" else t for t in made]


def _with_evidence(made: Trial, folder: Path) -> Trial:
    rng, seconds = np.random.default_rng(made.position), made.measurements["latency_s"].value
    right = rng.random(597) < made.measurements["top1_accuracy"].value
    medians = [float(seconds * x) for x in np.exp(rng.normal(0, 0.01, 10))]
    precision = "float32" if made.is_baseline else "int8"
    profile = Profile(
        (
            OperatorTime("Conv", "conv1", 0.6 * seconds, 1, "compute", precision, "CPU"),
            OperatorTime("QuantizeLinear", "q1", 0.3 * seconds, 1, "quantize", precision, "CPU"),
        ),
        20,
        seconds,
    )
    size = int(made.measurements["size_bytes"].value)
    anatomy = Anatomy(
        "onnx",
        size,
        {"weights": size - 100, "structure": 100},
        (
            OperatorFacts(
                "conv1",
                "Conv",
                "compute",
                precision,
                precision,
                1000,
                size - 100,
                macs=10**6,
                moved_bytes=size,
            ),
        ),
    )
    timing = {
        "session": made.target.runtime,
        "rounds": list(range(10)),
        "medians_s": medians,
        "disturbed": {},
        "turns": 20,
        "seconds": 0.3,
    }
    kept = {
        name: _kept(asdict(value), folder / f"{made.id}-{name}.json")
        for name, value in (("profile", profile), ("anatomy", anatomy))
    }
    return replace(
        made,
        details=made.details.with_json(
            {**kept, "timing": timing, "right": pack(right, "top1_accuracy")}
        ),
    )


def _kept(value: object, file: Path) -> dict[str, object]:
    file.write_text(json.dumps(value))
    return {
        "path": str(file),
        "format": "json",
        "sha256": file.stem,
        "size_bytes": file.stat().st_size,
    }


def with_outputs(
    made: list[Trial], folder: Path, labels: np.ndarray, classes: int = 10
) -> list[Trial]:
    """The complete trials with logits that are right as often as their accuracy says, and which
    items they are right on.

    The baseline's are common to all, so that two trials answer most items alike.
    """
    rng = np.random.default_rng(11)
    common = rng.normal(0, 1, (len(labels), classes)) + 2.5 * np.eye(classes)[labels]
    return [_with_outputs(t, common, folder, labels) if t.state == "complete" else t for t in made]


def _with_outputs(made: Trial, common: np.ndarray, folder: Path, labels: np.ndarray) -> Trial:
    noise = 0.0 if made.is_baseline else 0.8
    outputs = common + np.random.default_rng(made.position).normal(0, 1, common.shape) * noise
    file = folder / f"{made.position:064d}.npz"
    np.savez_compressed(file, outputs=outputs.astype(np.float32))
    kept = {
        "path": str(file),
        "format": "npz",
        "sha256": file.stem,
        "size_bytes": file.stat().st_size,
    }
    right = outputs.astype(np.float32).argmax(axis=1) == labels
    return replace(
        made,
        details=made.details.with_json({"outputs": kept, "right": pack(right, "top1_accuracy")}),
    )
