"""What a study does with outcomes, with the real engine on a model that is swept in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.engine import in_pool_process as jobs
from lab.engine import on_dask_worker as tasks
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
    real = tasks.measure

    def refused(request: Any, **more: Any) -> Any:
        answer = real(request, **more)
        error = {
            "type": "InvalidFile",
            "message": "The runtime refuses it.",
            "remedy": "",
            "traceback": "",
        }
        return {**answer, "variants": {sha: {"error": error} for sha in request["variants"]}}

    monkeypatch.setattr(tasks, "measure", refused)
    study = run(space={"onnx_fp16": {}})
    assert {t.state for t in lab.trials(study)} == {"failed"}
    monkeypatch.setattr(tasks, "measure", real)
    assert {t.state for t in lab.trials(run(space={"onnx_fp16": {}}))} == {"failed"}, (
        "it is remembered"
    )
    lab.resume(study)
    lab.wait(study)
    assert {t.state for t in lab.trials(study)} == {"complete"}


def evaluation(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    """A request for `jobs.evaluate` on the small model."""
    from lab.store.data import save_arrays
    from lab.types import InputSpec

    data, model = save_arrays(small.arrays(), "d"), small.write_onnx(tmp_path / "x.onnx")
    card = ModelCard(
        "m", "M", "classification", "onnx", "onnx", str(model), InputSpec((64,)), "npz-d"
    )
    wanted = ["agreement", "size_bytes", "top1_accuracy", "update_bytes"]
    return {
        "runtime": "ort",
        "options": {"threads": 1},
        "path": str(model),
        "card": card.to_json(),
        "data": str(data),
        "test_samples": None,
        "metrics": wanted,
        "is_baseline": True,
        "baseline_path": None,
        "baseline_outputs": None,
        "workdir": str(tmp_path),
        **changed,
    }


def test_nothing_is_compared_with_a_baseline_that_is_not_there(
    lab_home: Path, tmp_path: Path
) -> None:
    """Compared with itself, every variant would agree to 100 %."""
    found = jobs.evaluate(evaluation(tmp_path, is_baseline=False))["measurements"]
    assert set(found) == {"size_bytes", "top1_accuracy"}


def test_a_baseline_agrees_with_itself(lab_home: Path, tmp_path: Path) -> None:
    found = jobs.evaluate(evaluation(tmp_path))["measurements"]
    assert found["agreement"]["value"] == 1.0
    assert found["top1_accuracy"]["value"] > 0.8


def test_a_variant_is_compared_with_its_baseline(lab_home: Path, tmp_path: Path) -> None:
    request = evaluation(tmp_path)
    own = np.load(jobs.evaluate(request)["outputs"])["outputs"]
    other = tmp_path / "other.npz"
    np.savez(other, outputs=np.roll(own, 1, axis=1))
    compared = {
        "is_baseline": False,
        "baseline_path": request["path"],
        "baseline_outputs": str(other),
    }
    assert jobs.evaluate({**request, **compared})["measurements"]["agreement"]["value"] == 0.0


def test_test_samples_limit_the_test_set(lab_home: Path, tmp_path: Path) -> None:
    assert (
        jobs.evaluate(evaluation(tmp_path, test_samples=50))["measurements"]["top1_accuracy"]["n"]
        == 50
    )


def test_outputs_that_are_no_numbers_are_refused() -> None:
    from lab.errors import InvalidFile

    task, labels, inputs = registry.task("classification"), np.array([0, 1]), np.zeros((2, 4))
    with pytest.raises(InvalidFile, match=r"NaN or infinity.*1 of 2 items.*wider"):
        jobs._check_outputs(task, np.array([[1.0, np.nan], [0.0, 1.0]]), labels, inputs)
    with pytest.raises(InvalidFile, match="do not fit the task 'classification'"):
        jobs._check_outputs(task, np.ones((2, 2, 2)), labels, inputs)
