"""What a trial is told about other machines: numbers with their n and interval, in bounded time,
and never a failure.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.engine import emulating as module
from lab.engine.emulating import emulate
from lab.errors import InvalidFile
from lab.plugs import Setting
from lab.statistics import wilson
from lab.types import Recipe, Step
from tests import bright
from tests.bright import bright_files
from tests.tiny import answers

__all__ = ["bright_files"]
TASK = registry.task("classification")
WITH_VNNI = ("avx2", "avx512_vnni")


def asked(
    file: Path,
    workdir: Path,
    n: int = 600,
    runtime: str = "ort",
    format: str = "onnx",
    features: Any = WITH_VNNI,
) -> Any:
    x, labels = bright.items(n)
    evidence = {"inputs": x, "labels": labels, "outputs": answers("ort", file, x)}
    return emulate(file, format, TASK, evidence, Setting(runtime, {}, features, workdir), 100)


def test_the_number_is_emulated_over_the_same_items_with_its_interval(
    bright_files: dict[str, Path], tmp_path: Path
) -> None:
    found = asked(bright_files["u8s8"], tmp_path)
    assert list(found) == ["per_tensor_accelerator", "x86_without_vnni"]
    there, here = (
        found["x86_without_vnni"]["measurements"],
        found["x86_without_vnni"]["here"]["top1_accuracy"],
    )
    accuracy, same = there["top1_accuracy"], there["agreement"]
    assert accuracy["source"] == same["source"] == "emulated"
    assert here["source"] == "measured"
    assert accuracy["n"] == same["n"] == here["n"] == 600
    assert (accuracy["low"], accuracy["high"]) == wilson(round(accuracy["value"] * 600), 600)
    assert accuracy["value"] < here["value"] - 0.1
    assert same["value"] < 1
    assert found["x86_without_vnni"]["because"].endswith("of weights in 5 operators can saturate")


def test_where_a_file_answers_alike_nothing_is_told(
    bright_files: dict[str, Path], tmp_path: Path
) -> None:
    assert asked(bright_files["u8s8_per_tensor"], tmp_path, features=("avx2",)).keys() == {
        "integer_dot_product"
    }
    assert asked(bright_files["float"], tmp_path) == {}
    assert asked(bright_files["u8s8"], tmp_path, format="openvino_ir") == {}
    assert "x86_without_vnni" not in asked(bright_files["u8s8"], tmp_path, runtime="litert")


def test_items_are_spread_and_bounded_and_batches_stay_whole() -> None:
    batches = module._batches(2400, 100)
    assert len(batches) == module.LIMIT // 100
    assert {len(b) for b in batches} == {100}
    assert all(b[0] % 100 == 0 for b in batches)
    assert len(np.unique(np.concatenate(batches))) == module.LIMIT
    assert max(np.diff(sorted([b[0] for b in batches[:5]] + [0, 2400]))) <= 800
    assert sorted(np.concatenate(module._batches(250, 100)).tolist()) == list(range(250))
    assert module._batches(5000, 3000)[0].size == 3000


def test_it_stops_when_its_time_is_up(
    bright_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUDGET_S", 0.0)
    found = asked(bright_files["u8s8"], tmp_path)["x86_without_vnni"]
    assert found["measurements"]["top1_accuracy"]["n"] == found["here"]["top1_accuracy"]["n"] == 100


def test_an_error_is_a_fact(
    bright_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registry.processors()

    def refuse(path: Path, setting: Setting) -> Any:
        raise InvalidFile("No such operator", given="Foo")

    changed = {**real, "x86_without_vnni": replace(real["x86_without_vnni"], load=refuse)}
    monkeypatch.setattr(registry, "processors", lambda: changed)
    found = asked(bright_files["u8s8"], tmp_path)
    assert found["x86_without_vnni"]["measurements"] == {}
    assert "No such operator" in found["x86_without_vnni"]["facts"][-1]["text"]
    assert found["per_tensor_accelerator"]["measurements"]
    changed["x86_without_vnni"] = replace(real["x86_without_vnni"], differs=refuse)
    assert [
        fact["operator"]
        for fact in asked(bright_files["u8s8"], tmp_path)["x86_without_vnni"]["facts"]
    ] == [""]


@pytest.mark.slow
def test_a_trial_keeps_it(lab_home: Path, tmp_path: Path) -> None:
    (x, y), (cx, cy) = bright.items(200), bright.items(200, seed=7)
    np.savez(tmp_path / "bright.npz", x_test=x, y_test=y, x_calibration=cx, y_calibration=cy)
    card = lab.add_model(bright.write_onnx(tmp_path / "bright.onnx"), tmp_path / "bright.npz")
    steps = [
        Recipe((Step("onnx_static_int8", {"per_channel": True, **more}),))
        for more in ({}, {"reduce_range": True})
    ]
    spec = lab.make_spec(card.id, targets=["ort"], recipes=steps, space={}, rounds=2, runs=3)
    trials = {t.name: t for t in lab.trials(lab.wait(lab.start(spec)).id)}
    assert {t.state for t in trials.values()} == {"complete"}
    assert trials["float32"].details.emulated == {}
    told = {name: set(t.details.emulated) for name, t in trials.items() if name != "float32"}
    cpu = {"x86_without_vnni", "integer_dot_product"}
    assert all("per_tensor_accelerator" in ids for ids in told.values())
    assert len(told["static_wi8_ai8_per_channel"] & cpu) == 1
    assert not told["static_wi8_ai8_per_channel_reduced"] & cpu
