"""Damaged and hostile .lab files: every one is refused with a message."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.errors import (
    InvalidFile,
    UsageError,
)
from lab.types import FINISHED, ModelCard, StudySpec
from tests.unit.test_bad_input import card as card


def exported(
    card: ModelCard,
    to: Path,
    change: Callable[[dict[str, Any]], None] = lambda v: None,
    files: dict[str, bytes] | None = None,
) -> Path:
    """A `.lab` file of a study with one trial, its JSON changed."""
    trial = {
        "id": "s-0000",
        "name": "float32",
        "recipe": [],
        "target": {"runtime": "ort", "threads": 1},
        "state": "complete",
        "position": 0,
        "baseline": True,
        "cached": False,
        "error": None,
        "artifact": None,
        "measurements": {},
        "environment": "e",
        "float_operators": {},
        "details": {},
    }
    head = {
        "id": "s",
        "model": "small",
        "title": "",
        "state": "complete",
        "created_at": "2026-01-01",
        "finished_at": None,
        "spec": StudySpec("small").to_json(),
    }
    value = {
        "format": 1,
        "study": head,
        "card": {**card.to_json(), "path": ""},
        "environments": {"e": {"cpu": "x"}},
        "trials": [trial],
    }
    change(value)
    with zipfile.ZipFile(to, "w") as archive:
        archive.writestr("study.json", json.dumps(value))
        for name, content in (files or {}).items():
            archive.writestr(name, content)
    return to


def test_a_whole_file_is_read(card: ModelCard, tmp_path: Path) -> None:
    assert lab.import_study(exported(card, tmp_path / "x.lab")) == "s"
    assert [t.state for t in lab.trials("s")] == ["complete"]


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(format=99),
        lambda v: v.pop("study"),
        lambda v: v.update(trials=5),
        lambda v: v.update(card=[]),
        lambda v: v["trials"][0].update(measurements=[1]),
        lambda v: v["study"]["spec"].update(color="red"),
        lambda v: v["trials"].append(v["trials"][0]),
        lambda v: v["trials"][0].update(artifact={"path": "x"}),
        lambda v: v.update(environments=[]),
    ],
)
def test_damaged_values(
    card: ModelCard, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(UsageError):
        lab.import_study(exported(card, tmp_path / "x.lab", change))
    assert lab.studies() == []


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_damaged_files(lab_home: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.lab").write_bytes(content)
    with pytest.raises(InvalidFile, match=r"not a readable .lab file"):
        lab.import_study(tmp_path / "x.lab")


def test_a_flipped_byte_is_noticed(card: ModelCard, tmp_path: Path) -> None:
    file = exported(card, tmp_path / "x.lab")
    damaged = bytearray(file.read_bytes())
    damaged[200] ^= 0xFF
    file.write_bytes(damaged)
    with pytest.raises(InvalidFile, match=r"not a readable .lab file"):
        lab.import_study(file)


def test_a_file_that_is_not_what_its_name_says(
    card: ModelCard, tmp_path: Path, lab_home: Path
) -> None:
    name = f"{'0' * 64}.json"

    def speak(value: dict[str, Any]) -> None:
        value["trials"][0]["details"]["samples"] = {
            "path": name,
            "format": "json",
            "sha256": "0" * 64,
            "size_bytes": 5,
        }

    file = exported(card, tmp_path / "x.lab", speak, files={f"files/{name}": b"other"})
    with pytest.raises(InvalidFile, match=r"not what its name says"):
        lab.import_study(file)
    assert list((lab_home / "artifacts").glob("*")) == []
    assert lab.studies() == []


@pytest.mark.parametrize(
    "name",
    [
        "files/../../evil.onnx",
        "/etc/evil.onnx",
        "files/..",
        "../evil",
        "files/a/b.onnx",
        "files\\evil",
    ],
)
def test_names_that_leave_the_folder(
    card: ModelCard, tmp_path: Path, lab_home: Path, name: str
) -> None:
    file = exported(card, tmp_path / "x.lab", files={name: b"evil"})
    before = set(tmp_path.rglob("*"))
    try:
        lab.import_study(file)
    except InvalidFile:
        assert lab.studies() == []
    assert not [
        p for p in set(tmp_path.rglob("*")) - before if p.is_file() and p.read_bytes() == b"evil"
    ]


def test_a_study_that_was_running_is_not_taken_up_here(card: ModelCard, tmp_path: Path) -> None:
    def running(value: dict[str, Any]) -> None:
        value["study"]["state"] = value["trials"][0]["state"] = "running"

    study = lab.study(lab.import_study(exported(card, tmp_path / "x.lab", running)))
    assert study.state in FINISHED
    assert {t.state for t in lab.trials(study.id)} == {"cancelled"}


def test_exports_of_other_endings(lab_home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Allowed: .*\.csv.*\.lab"):
        lab.export("s", tmp_path / "x.xls")
