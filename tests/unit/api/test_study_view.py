"""What Python and Jupyter are given: the app's figures and tables, as light and as equal as the
plain values.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import lab
from lab import types
from lab.analysis.pick import pick
from lab.analysis.ties import ties
from lab.api import _progress_bar
from lab.api._progress import Progress
from lab.api._study_view import Study, Trial
from lab.errors import UnknownId, UsageError
from lab.plots.pareto.figure import pareto_info, pareto_spec
from lab.share.files import table
from lab.store import records
from tests import fakes
from tests.payloads import PAYLOADS
from tests.unit.share.test_markup import Reader


@pytest.fixture
def study(lab_home: Path) -> Any:
    made = fakes.study()
    records.add_study(made, lab.model(made.model), fakes.trials())
    return lab.study(made.id)


def test_they_are_equal_to_the_plain_values(study: Any) -> None:
    plain = records.study(study.id)
    assert type(plain) is types.Study
    assert study == plain
    assert plain == study
    assert study != replace(plain, title="another")
    assert lab.trials(study.id) == records.trials(study.id)
    assert records.trials(study.id) == lab.trials(study.id)
    assert lab.studies() == records.studies()
    assert isinstance(replace(study, title="x"), type(study))


def test_hashes_are_those_of_the_plain_values() -> None:
    assert Study.__hash__ is types.Study.__hash__
    assert Trial.__hash__ is types.Trial.__hash__


def test_the_figure_is_the_apps(study: Any) -> None:
    trials = study.trials()
    info = pareto_info(
        trials,
        study.spec.objectives,
        lab.available_metrics(),
        pick=pick(trials, study.spec.objectives).trial,
        tied=ties(trials, study.spec.objectives),
    )
    drawn = json.loads(study.plot().to_json())
    assert drawn["layout"]["xaxis"]["title"]["text"] == info.x.label
    assert [t.get("customdata") for t in drawn["data"]] == [
        t.get("customdata") for t in pareto_spec(info)["data"]
    ]
    assert any(a["text"] == "<b>best pick</b>" for a in drawn["layout"]["annotations"])
    other = study.plot(x="size_bytes", size="latency_s", mode="dark")
    assert "File size" in other.layout.xaxis.title.text


def test_the_table_is_the_apps(study: Any) -> None:
    shown = study.table()
    assert list(shown.index) == [t.id for t in study.trials()]
    assert list(shown["Trial"]) == [t.name for t in study.trials()]
    assert set(shown.index[shown["Front"] == "★"]) == set(lab.front(study.id))
    assert list(study.table(study.front()).index) == [t.id for t in study.front()]
    pd.testing.assert_frame_equal(study.table(raw=True), table(study.trials()).set_index("id"))


def test_the_pick_is_the_apps_and_keeps_to_limits(study: Any) -> None:
    choice = study.pick()
    assert choice.trial.id == pick(study.trials(), study.spec.objectives).trial
    assert choice.reason in str(choice)
    assert repr(study) == "<study study-1: digits_lenet · Digits, first try, complete>"
    assert repr(study.trials()[1]) == "<trial t0001-study-1: float32 on litert, complete>"
    assert choice.reason in Reader(choice._repr_html_()).text
    fast = study.pick(
        goal="latency_s",
        at_most={"size_bytes": 200e3},
        at_least={"top1_accuracy": 0.9},
        max_drop={"top1_accuracy": 0.05},
    )
    assert fast.trial.measurements["size_bytes"].value <= 200e3
    assert study.pick(at_most={"size_bytes": 1}).trial is None
    with pytest.raises(UsageError, match="objectives"):
        study.pick(goal="agreement")
    with pytest.raises(UnknownId):
        study.pick(at_most={"size": 1})


def test_two_trials_are_compared(study: Any) -> None:
    a, b = study.trials()[3], study.trials()[5]
    rows = study.compare(a, b.id)
    assert set(rows.columns) >= {"Difference", "Verdict", "This", "Other"}
    against_float = study.compare(a)
    assert (against_float["Other"] == study.compare(a, study.trials()[0])["Other"]).all()
    with pytest.raises(UnknownId):
        study.compare("none", a)


@pytest.mark.parametrize(
    ("axes", "error"), [({"x": "latency"}, UnknownId), ({"mode": "blue"}, UsageError)]
)
def test_wrong_axes(study: Any, axes: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        study.plot(**axes)


def test_cells_show_what_it_is(study: Any) -> None:
    read = Reader(study._repr_html_())
    assert "Best pick" in read.text
    assert "23 complete, 1 failed" in read.text
    assert all(t.name in read.text for t in study.front()[:3])
    assert "Latency (median)" in read.text
    assert "Peak memory" not in read.text
    one = study.trials()[4]
    shown = Reader(one._repr_html_()).text
    assert one.name in shown
    assert "Against float" in shown
    assert "The runtime refused the file" in Reader(study.trials()[-1]._repr_html_()).text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_texts_of_people_stay_texts(lab_home: Path, payload: str) -> None:
    made = fakes.study(title=payload)
    records.add_study(
        made, lab.model(made.model), [replace(t, name=payload) for t in fakes.trials(6)]
    )
    study = lab.study(made.id)
    for html in (study._repr_html_(), study.trials()[2]._repr_html_(), study.pick()._repr_html_()):
        assert {tag for tag, _ in Reader(html).tags} <= {
            "div",
            "p",
            "strong",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        }


# --- progress -------------------------------------------------------------------------------------

P = Progress(7, 14, 1, "measuring", 20.0, 0)


def test_no_bar_outside_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert _progress_bar.progress_bar(None) is None
    assert _progress_bar.progress_bar(True) is not None
    assert _progress_bar.progress_bar(False) is None


def test_a_terminal_has_a_line_that_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    bar = _progress_bar.Bar()
    bar(P)
    bar(Progress(14, 14, 1, "", 0.0, 0))
    bar.close()
    lines = capsys.readouterr().err.split("\r")
    assert (
        "[############............] 7 of 14 trials (1 failed), measuring, about 20 seconds left"
        in lines[1]
    )
    assert len(lines[1]) == len(lines[2].rstrip("\n"))
    assert lines[2].rstrip() == "[########################] 14 of 14 trials (1 failed)"


def test_jupyter_has_an_output_that_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    handle = SimpleNamespace(update=lambda html: shown.append(html))
    display = SimpleNamespace(
        HTML=str, display=lambda html, display_id: shown.append(html) or handle
    )
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    bar = _progress_bar.progress_bar(None)
    assert bar
    bar(P)
    bar(replace(P, done=8, stage="<script>"))
    bar.close()
    assert [Reader(html).tags[1] for html in shown] == [
        ("progress", {"value": str(n), "max": "14", "style": Reader(shown[0]).tags[1][1]["style"]})
        for n in (7, 8)
    ]
    assert "<script>" not in shown[1]


def test_waiting_shows_it_to_the_end(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.wait(study.id, show_progress=True) == study
    assert "24 of 24 trials (1 failed)" in capsys.readouterr().err
    lab.wait(study.id)
    assert capsys.readouterr().err == ""


def test_a_whole_spec_needs_nothing_beside_it() -> None:
    with pytest.raises(UsageError, match="nothing beside it"):
        lab.sweep(types.StudySpec("digits_lenet"), rounds=3)
