"""A store that was moved, or that lost a file, answers with what is there now."""

import shutil
from pathlib import Path

import pytest

import lab
from lab.engine.host import stop_engines
from lab.errors import UsageError


def sweep():
    study = lab.sweep("small", space={"onnx_fp16": {}}, rounds=2, runs=3)
    return lab.trials(study.id)


@pytest.mark.slow
def test_a_moved_store_knows_its_files(small_card, lab_home, monkeypatch):
    before = sweep()
    stop_engines()
    moved = Path(shutil.move(lab_home, lab_home.with_name("elsewhere")))
    monkeypatch.setenv("LAB_HOME", str(moved))
    again = lab.trials(before[0].study)
    assert all(
        Path(t.artifact.path).is_relative_to(moved) and Path(t.artifact.path).exists()
        for t in again
    )
    assert lab.latency_samples(again[0])
    assert all(t.cached for t in sweep())


@pytest.mark.slow
def test_a_lost_file_is_made_again(small_card):
    first = next(t for t in sweep() if not t.is_baseline)
    Path(first.artifact.path).unlink()
    again = next(t for t in sweep() if not t.is_baseline)
    assert again.artifact == first.artifact
    assert Path(again.artifact.path).exists()


@pytest.mark.slow
def test_an_imported_study_cannot_be_resumed_without_its_model(
    small_card, lab_home, tmp_path, monkeypatch
):
    study = sweep()[0].study
    lab.export(study, tmp_path / "s.lab")
    stop_engines()
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "other"))
    lab.import_study(tmp_path / "s.lab")
    with pytest.raises(UsageError, match="model file is not in this lab"):
        lab.resume(study)
    assert lab.study(study).state == "complete"
    stop_engines()
