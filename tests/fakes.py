"""Made-up studies for tests that need no store and no engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lab.plugs import Metric
from lab.types import Artifact, Measurement, Objective, Recipe, Step, Study, StudySpec, Target, Trial

OBJECTIVES = StudySpec("digits_lenet").objectives
TITLES = {"ort": "ONNX Runtime", "litert": "LiteRT"}


def _metric(id_: str, title: str, unit: str, direction: str, *, about_both: bool = False) -> Metric:
    given = (id_, title, f"Help for {title}.", unit, direction, (), lambda **_: Measurement(id_, 0.0, unit))
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
    name: str, accuracy: float, size: float, latency: float, *, runtime: str = "ort", position: int = 0,
    spread: tuple[float, float] = (0.0, 0.0), baseline: bool = False, environment: str = "env-1",
    study: str = "study-1",
) -> Trial:  # fmt: skip
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
        (Step("torch_to_onnx"),) + (() if baseline else (Step("quantize", {"bits": 8, "granularity": name}),))
    )
    return Trial(
        f"t{position:04d}-{study}", study, position, name, recipe, Target(runtime, {"threads": 1}), "complete",
        is_baseline=baseline, artifact=Artifact("model.onnx", "onnx", f"{position:064d}", int(size)),
        measurements=numbers, environment=environment, float_operators={} if baseline else {"Softmax": 1},
        details={"seconds": {"build": 1.2, "latency": 3.4}},
    )  # fmt: skip


def trials(count: int = 24, seed: int = 0, study: str = "study-1", failed: int = 1) -> list[Trial]:
    """A float baseline on each of two runtimes, variants around them, and at the end some that failed."""
    random = np.random.default_rng(seed)
    made = [
        trial("float32", 0.962, 345e3, 5.0e-4, position=0, baseline=True, spread=(0.013, 1e-5), study=study),
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
                f"static_wi8_ai8_{position}", accuracy, size, latency,
                runtime="ort" if position % 2 else "litert", position=position, spread=(0.014, 2e-5), study=study,
            )
        )  # fmt: skip
    return made + [broken(position, study) for position in range(count - failed, count)]


def broken(position: int, study: str = "study-1") -> Trial:
    """A trial that failed."""
    error = {
        "type": "JobCrashed", "problem": "The runtime refused the file", "allowed": "", "given": None,
        "remedy": "Try per-channel weights", "message": "The runtime refused the file. Try per-channel weights.",
    }  # fmt: skip
    return Trial(
        f"t{position:04d}-{study}", study, position, f"weight_wi4_{position}", Recipe((Step("quantize", {"bits": 4}),)),
        Target("ort", {"threads": 1}), "failed", error=error,
    )  # fmt: skip


def study(id_: str = "study-1", state: str = "complete", **more: object) -> Study:
    """A study of the fake model."""
    spec = StudySpec(
        "digits_lenet", preset="quick", targets=(Target("ort", {"threads": 1}), Target("litert", {"threads": 1}))
    )
    made = Study(id_, "digits_lenet", state, spec, "Digits, first try", "2026-11-22T10:00:00+00:00", revision=7)  # type: ignore[arg-type]
    return replace(made, **more)  # type: ignore[arg-type]


def objective(metric: str) -> Objective:
    """The metric with its own direction."""
    return Objective(metric, METRICS[metric].direction)
