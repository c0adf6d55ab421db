"""Trials are read once for each revision of their study, and never older than they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import lab
from lab.store import records
from lab.store import trials as rows
from lab.store.records import KEPT_STUDIES
from tests import fakes


def added(id_: str) -> str:
    study = fakes.study(id_=id_)
    records.add_study(study, lab.model(study.model), fakes.trials(study=id_))
    return id_


def test_they_are_read_once_until_one_changes(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = added("a")
    first = records.trials(study)
    reads = []
    monkeypatch.setattr(
        rows, "_trials", lambda read, real=rows._trials: reads.append(len(read)) or real(read)
    )
    assert records.trials(study) == first
    assert not reads
    records.update_trials(study, [replace(first[3], state="failed", error={"message": "x"})])
    assert records.trials(study)[3].state == "failed"
    assert reads == [len(first)]


def test_what_is_kept_cannot_be_changed_by_a_caller(lab_home: Path) -> None:
    study = added("a")
    records.trials(study).clear()
    assert len(records.trials(study)) == len(fakes.trials())


def test_another_store_has_other_trials(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added("a")
    assert records.trials("a")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "other"))
    assert records.trials("a") == []


def test_few_studies_are_kept(lab_home: Path) -> None:
    for n in range(KEPT_STUDIES + 3):
        records.trials(added(f"s{n}"))
    assert len(rows._kept) <= KEPT_STUDIES
    assert len(records.trials("s0")) == len(fakes.trials())
