"""What a study does with outcomes, with the real engine on a model that is swept in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.engine import in_pool_process
from lab.engine.messages import PoolEvaluated, PoolEvaluateRequest, ProcessResult
from lab.engine.on_dask_worker import measure as worker
from lab.measure.messages import MeasuredVariants, MeasureVariantsRequest, VariantTimings
from lab.types import ModelCard
from tests import small

QUICK: dict[str, Any] = {"targets": ["ort"], "rounds": 2, "runs": 5}


def run(**spec: Any) -> str:
    return lab.wait(lab.start(lab.make_spec("small", **{**QUICK, **spec}))).id


@pytest.mark.slow
def test_a_failed_measurement_is_tried_again_by_resume(
    small_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runtime's own error is remembered, as a crash is not; resume must forget it."""
    real = worker.measure

    def refused(request: MeasureVariantsRequest, *more: Any) -> ProcessResult[MeasuredVariants]:
        finished = real(request, *more)
        error = {
            "type": "InvalidFile",
            "message": "The runtime refuses it.",
            "remedy": "",
            "traceback": "",
        }
        failed = VariantTimings(error=error)
        return replace(finished, result=MeasuredVariants(dict.fromkeys(request.variants, failed)))

    monkeypatch.setattr(worker, "measure", refused)
    study = run(space={"onnx_fp16": {}})
    assert {t.state for t in lab.trials(study)} == {"failed"}
    monkeypatch.setattr(worker, "measure", real)
    assert {t.state for t in lab.trials(run(space={"onnx_fp16": {}}))} == {"failed"}, (
        "it is remembered"
    )
    lab.resume(study)
    lab.wait(study)
    assert {t.state for t in lab.trials(study)} == {"complete"}


def evaluate(tmp_path: Path, **changed: Any) -> PoolEvaluated:
    """Evaluate the small model."""
    from lab.store.data import save_arrays
    from lab.types import InputSpec

    data, model = save_arrays(small.arrays(), "d"), small.write_onnx(tmp_path / "x.onnx")
    card = ModelCard(
        "m", "M", "classification", "onnx", "onnx", str(model), InputSpec((64,)), "npz-d"
    )
    metrics = ("agreement", "size_bytes", "top1_accuracy", "update_bytes")
    request = PoolEvaluateRequest(
        "ort", {"threads": 1}, str(model), "onnx", card, str(data), metrics, is_baseline=True
    )
    return in_pool_process.evaluate_in_pool(replace(request, **changed), tmp_path)


def test_nothing_is_compared_with_a_baseline_that_is_not_there(
    lab_home: Path, tmp_path: Path
) -> None:
    """Compared with itself, every variant would agree to 100 %."""
    found = evaluate(tmp_path, is_baseline=False).measurements
    assert set(found) == {"size_bytes", "top1_accuracy"}


def test_a_baseline_agrees_with_itself(lab_home: Path, tmp_path: Path) -> None:
    found = evaluate(tmp_path).measurements
    assert found["agreement"].value == 1.0
    assert found["top1_accuracy"].value > 0.8


def test_a_variant_is_compared_with_its_baseline(lab_home: Path, tmp_path: Path) -> None:
    own = np.load(evaluate(tmp_path).outputs)["outputs"]
    other = tmp_path / "other.npz"
    np.savez(other, outputs=np.roll(own, 1, axis=1))
    compared = {
        "is_baseline": False,
        "baseline_file": str(tmp_path / "x.onnx"),
        "baseline_outputs": str(other),
    }
    assert evaluate(tmp_path, **compared).measurements["agreement"].value == 0.0


def test_test_samples_limit_the_test_set(lab_home: Path, tmp_path: Path) -> None:
    assert evaluate(tmp_path, test_samples=50).measurements["top1_accuracy"].n == 50


def test_outputs_that_are_no_numbers_are_refused() -> None:
    from lab.errors import InvalidFile

    task, labels, inputs = registry.task("classification"), np.array([0, 1]), np.zeros((2, 4))
    with pytest.raises(InvalidFile, match=r"NaN or infinity.*1 of 2 items.*wider"):
        in_pool_process._check_outputs(task, np.array([[1.0, np.nan], [0.0, 1.0]]), labels, inputs)
    with pytest.raises(InvalidFile, match="do not fit the task 'classification'"):
        in_pool_process._check_outputs(task, np.ones((2, 2, 2)), labels, inputs)
