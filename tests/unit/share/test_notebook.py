"""A study's notebook is valid, holds its spec, and texts of people stay texts in it."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.share.notebook import notebook, study_cells
from lab.spec.reading import spec_from_json
from tests import fakes
from tests.payloads import PAYLOADS


def exported(lab_home: Path, to: Path) -> dict[str, Any]:
    study = lab.example_study()
    assert study
    return dict(json.loads(lab.export(study, to).read_text(encoding="utf-8")))


def test_it_is_a_valid_notebook(lab_home: Path, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(exported(lab_home, tmp_path / "study.ipynb"))


def test_it_holds_the_spec(lab_home: Path, tmp_path: Path) -> None:
    code = [
        "".join(c["source"])
        for c in exported(lab_home, tmp_path / "study.ipynb")["cells"]
        if c["cell_type"] == "code"
    ]
    spec = next(c for c in code if c.startswith("SPEC = "))
    study = lab.example_study()
    assert study
    assert spec_from_json(ast.literal_eval(spec.removeprefix("SPEC = "))) == lab.study(study).spec
    assert any(c.startswith("study = lab.sweep(SPEC") for c in code)


def test_cells_keep_their_lines() -> None:
    made = notebook([("markdown", "a\nb\n"), ("code", "x")])
    assert made["cells"][0]["source"] == ["a\n", "b"]
    assert "outputs" not in made["cells"][0]
    assert len({c["id"] for c in made["cells"]}) == 2


@pytest.mark.parametrize("payload", PAYLOADS)
def test_titles_stay_titles(payload: str) -> None:
    card = replace(lab.model("digits_lenet"), title=payload)
    cells = study_cells(fakes.study(title=payload), card)
    for kind, text in cells:
        if kind == "code":
            ast.parse(text)
    (call,) = [text for kind, text in cells if kind == "code" and "lab.sweep" in text]
    keyword = ast.parse(call).body[0].value.keywords[0]  # type: ignore[attr-defined]
    assert ast.literal_eval(keyword.value) == payload
    assert "<" not in cells[0][1].replace("\\<", "")
