"""Anatomies of trials: kept with them, exported with them, and never the reason that one fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.engine import in_pool_process
from lab.engine.host import stop_engines
from lab.engine.messages import PoolEvaluateRequest
from lab.formats.anatomy import anatomy
from lab.types import InputSpec, ModelCard


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"no model")
    card = ModelCard("m", "M", "classification", "onnx", "onnx", "", InputSpec((64,)), "npz-d")
    request = PoolEvaluateRequest(
        "ort", {}, str(tmp_path / "odd"), "onnx", card, "", (), read_anatomy=True
    )
    assert in_pool_process._read_anatomy(request, tmp_path) == (None, {})
    unread = replace(request, read_anatomy=False)
    assert in_pool_process._read_anatomy(unread, tmp_path) == (None, {})


@pytest.mark.slow
def test_trials_have_them_wherever_they_go(
    small_card: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = lab.sweep("small", space={"onnx_fp16": {}}, rounds=2, runs=3).id
    before = lab.trials(study)
    found = [lab.anatomy(trial) for trial in before]
    assert found == [anatomy(t.artifact.path, "onnx") for t in before if t.artifact]
    assert [t.measurements["activation_peak_bytes"].value for t in before] == [
        max(a.live_bytes) for a in found if a
    ]
    profiles = [lab.profile(trial) for trial in before]
    lab.export(study, tmp_path / "s.lab")
    stop_engines()
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "other"))
    lab.import_study(tmp_path / "s.lab")
    after = lab.trials(study)
    assert [lab.anatomy(trial) for trial in after] == found
    assert [lab.profile(trial) for trial in after] == profiles
    stop_engines()
