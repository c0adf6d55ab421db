"""Anatomies of trials: kept with them, exported with them, and never the reason that one fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab
from lab.engine import in_pool_process as jobs
from lab.engine.host import stop_engines
from lab.formats.anatomy import anatomy


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"no model")
    request = {"path": str(tmp_path / "odd"), "anatomy": "onnx", "workdir": str(tmp_path)}
    assert jobs._anatomy(request) == ("", {})
    assert jobs._anatomy({**request, "anatomy": ""}) == ("", {})
    assert jobs._anatomy({"path": "x"}) == ("", {})


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
