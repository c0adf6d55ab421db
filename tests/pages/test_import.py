"""A study of another lab is read by the page, and a damaged file gets one clear message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lab
from lab.store import records
from tests import fakes
from tests.pages.conftest import in_address


def exported(tmp_path: Path, monkeypatch) -> bytes:
    """A study from a lab that is not the page's."""
    with monkeypatch.context() as patch:
        patch.setenv("LAB_HOME", str(tmp_path / "elsewhere"))
        study = fakes.study("elsewhere-1")
        trials = [replace(t, environment=None) for t in fakes.trials(study=study.id)]
        records.add_study(study, lab.model(study.model), trials)
        return lab.export(study.id, tmp_path / "study.lab").read_bytes()


def uploaded(app, name: str, content: bytes):
    """What a person does with the uploader."""
    app.file_uploader[0].upload(name, content, "application/zip").run()
    return app


def test_a_file_becomes_a_study(open_page, add_study, tmp_path, monkeypatch):
    content = exported(tmp_path, monkeypatch)
    app = open_page("study", study=add_study())
    uploaded(app, "study.lab", content)
    assert not app.exception
    assert in_address(app, "study") == "elsewhere-1"
    assert {s.id for s in lab.studies()} == {"elsewhere-1", "study-1"}
    assert len(lab.trials("elsewhere-1")) == len(fakes.trials())


def test_a_damaged_file_says_so_and_changes_nothing(open_page, add_study):
    app = open_page("study", study=add_study())
    uploaded(app, "<b>evil</b>.lab", b"no zip at all")
    assert not app.exception
    assert any("not a readable" in e.value and "\\<b\\>evil" in e.value for e in app.error)
    assert [s.id for s in lab.studies()] == ["study-1"]
    app.run()
    assert not [e for e in app.error if "readable" in e.value]
