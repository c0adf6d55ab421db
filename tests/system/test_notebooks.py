"""The notebooks that ship with the lab, and those that it exports, run from top to bottom in a lab
of their own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import lab
from tests.system.checkout import ROOT

nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LIMIT_S = 300


def ran(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The notebook with its outputs; a cell that fails fails the test. The kernel finds the lab as
    a user's would.
    """
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    nbclient.NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": os.environ["LAB_HOME"]}},
    ).execute()
    return notebook


def shown(notebook: Any, mime: str) -> list[Any]:
    """Everything of a kind that its cells show."""
    return [
        o["data"][mime]
        for c in notebook.cells
        if c.cell_type == "code"
        for o in c.outputs
        if mime in o.get("data", {})
    ]


@pytest.fixture(autouse=True)
def own_home(lab_home: Path) -> None:
    lab_home.mkdir()


def test_there_are_three() -> None:
    assert [n.stem for n in NOTEBOOKS] == [
        "01_first_sweep",
        "02_keras_to_phone",
        "03_pruning_and_quantization",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_they_are_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not [
        c for c in notebook.cells if c.cell_type == "code" and (c.outputs or c.execution_count)
    ]
    assert (
        path.read_text(encoding="utf-8")
        == json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=1, ensure_ascii=False)
        + "\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_they_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ran(nbformat.read(path, as_version=4), monkeypatch)
    assert shown(done, "application/vnd.plotly.v1+json")
    assert any("<progress" in html for html in shown(done, "text/html"))
    (study,) = lab.studies()
    assert study.state == "complete"
    assert {t.state for t in study.trials()} == {"complete"}


@pytest.mark.slow
def test_an_exported_one_runs_in_an_empty_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lab.sweep(
        "digits_lenet",
        space={"onnx_dynamic_int8": {}},
        targets=["ort"],
        rounds=3,
        budget_s=0.2,
        title="Small",
    )
    file, names = lab.export(first.id, tmp_path / "study.ipynb"), [t.name for t in first.trials()]
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    done = ran(nbformat.read(file, as_version=4), monkeypatch)
    (second,) = lab.studies()
    assert second.id != first.id
    assert second.spec == first.spec
    assert [t.name for t in second.trials()] == names
    assert len(shown(done, "application/vnd.plotly.v1+json")) == 2
