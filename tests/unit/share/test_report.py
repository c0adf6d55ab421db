"""The report holds the study's numbers, nothing that its texts could do, and nothing that would
have to be fetched.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.analysis.front import front
from lab.plots import formatting
from lab.share.report import page as report_page
from lab.share.report.values import report_of
from lab.store import records
from lab.types import Study, Trial, TrialDetails
from tests import fakes
from tests.payloads import PAYLOADS
from tests.unit.analysis import test_pruning
from tests.unit.analysis.test_calibration import calibrated
from tests.unit.analysis.test_training import curve
from tests.unit.share.test_markup import Reader

LARGEST_BYTES = 6_000_000


def added(trials: list[Trial], study: Study | None = None, **card: Any) -> str:
    """A study in the store."""
    made = study or fakes.study()
    records.add_study(made, replace(lab.model(made.model), **card), trials)
    return made.id


def named(trials: list[Trial], study: str) -> list[Trial]:
    """Under the ids that the lab itself gives, so that they can be looked up one by one."""
    return [replace(t, id=f"{study}-{t.position:04d}", study=study) for t in trials]


def written(study_id: str, folder: Path) -> str:
    return lab.export(study_id, folder / "report.html").read_text(encoding="utf-8")


def figures_in(text: str) -> list[dict[str, Any]]:
    (data,) = re.findall(
        r'<script type="application/json" id="figure-data">(.*?)</script>', text, re.DOTALL
    )
    return list(json.loads(data)["figures"])


@pytest.fixture
def text(lab_home: Path, tmp_path: Path) -> str:
    (tmp_path / "evidence").mkdir()
    return written(added(fakes.with_evidence(fakes.trials(), tmp_path / "evidence")), tmp_path)


def test_it_has_every_part(text: str) -> None:
    ids = {attributes.get("id") for _, attributes in Reader(text).tags}
    assert {
        "pick",
        "figures",
        "front",
        "trials",
        "failed",
        "why",
        "recipes",
        "machine",
        "how",
        "model",
    } <= ids


def test_every_trial_has_its_row_with_its_numbers(text: str) -> None:
    made = fakes.trials()
    for trial in made:
        (row,) = re.findall(rf'<tr id="row-{trial.id}">(.*?)</tr>', text)
        for m in trial.measurements.values():
            assert formatting.value(m.value, m.unit) in row
            assert formatting.interval(m) in row
    assert "The runtime refused the file" in text
    assert "Try per-channel weights" in text


def test_the_figures_show_the_front_and_every_comparable_trial(text: str) -> None:
    made, shown = fakes.trials(), figures_in(text)
    complete = {t.id for t in made if t.state == "complete"}
    assert len(shown) == 3
    for figure in shown:
        points = [row[0] for trace in figure["data"] for row in trace.get("customdata", ())]
        assert sorted(points) == sorted(complete)
    assert set(re.findall(r'href="#row-(t\d+-study-1)"', text)) >= set(
        front(made, fakes.OBJECTIVES)
    )


def test_recipes_of_the_front_can_be_run_again(lab_home: Path, tmp_path: Path) -> None:
    study = lab.example_study()
    assert study
    text = Reader(written(study, tmp_path)).text
    for trial in lab.study(study).front():
        assert lab.reproduce(trial)["cli"] in text
        assert lab.reproduce(trial)["python"] in text


def test_nothing_is_fetched(text: str) -> None:
    read = Reader(text)
    assert not [a for _, a in read.tags if "src" in a or "srcset" in a]
    assert {tag for tag, _ in read.tags} & {
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "img",
    } == set()
    assert all((a["href"] or "").startswith("#") for tag, a in read.tags if tag == "a")
    assert not re.search(r"url\(|@import", text.split("</style>")[0])


def test_the_policy_names_its_scripts_alone(text: str) -> None:
    policy = next(
        a["content"]
        for tag, a in Reader(text).tags
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy
    assert policy.startswith("default-src 'none'")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    packed = re.findall(r'id="plotly">(.*?)</script>', text)
    whole = [*scripts, *(gzip.decompress(base64.b64decode(p)).decode() for p in packed)]
    assert len(whole) == 2
    assert all(report_page._digest(script) in policy for script in whole)
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


@pytest.mark.parametrize("payload", PAYLOADS)
def test_texts_of_people_stay_texts(lab_home: Path, tmp_path: Path, payload: str) -> None:
    def evil(t: Trial) -> Trial:
        error = t.error and {**t.error, "message": payload, "remedy": payload}
        return replace(
            t,
            name=payload,
            float_operators={payload: 1} if t.state == "complete" else {},
            error=error,
        )

    made = [evil(t) for t in named(fakes.trials(8), "evil")]
    study = added(
        made,
        fakes.study("evil", title=payload),
        title=payload,
        class_names=(payload,),
        provenance=payload,
        description=payload,
        licence=payload,
    )
    lab.set_note(study, payload)
    lab.set_note(study, payload, made[3].id)
    usual = Reader(_page())
    read = Reader(written(study, tmp_path))
    assert {tag for tag, _ in read.tags} == {tag for tag, _ in usual.tags}
    assert sum(tag == "script" for tag, _ in read.tags) == 3
    assert not [name for _, a in read.tags for name in a if name.startswith("on")]
    assert payload.strip() in read.text


def _page() -> str:
    """The page of a study whose texts are harmless."""
    study = added(named(fakes.trials(8), "usual"), fakes.study("usual"))
    lab.set_note(study, "a note")
    return report_page.page(report_of(study, lab.notes(study)))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_texts_in_figures_make_no_tags(lab_home: Path, tmp_path: Path, payload: str) -> None:
    """Plotly reads some tags in its texts: only those that the lab writes may be there."""
    made = [replace(t, name=payload) for t in fakes.trials(8)]
    shown = json.dumps(figures_in(written(added(made), tmp_path)))
    assert set(re.findall(r"<\s*/?\s*([A-Za-z!]+)", shown)) <= {"b", "br", "extra"}


EVIL = "<a href='x'>evil</a>"
CALIBRATED = [
    calibrated(0, 0.90),
    calibrated(1, 0.92, calibration_seed=1),
    calibrated(2, 0.85, calibration_samples=8),
]
PRUNED = [replace(t, name=f"{t.name} {EVIL}") for t in test_pruning.TRIALS]
TRAINED = [
    replace(t, name=EVIL, details=TrialDetails(training=(curve("k1"),))) for t in fakes.trials(4)
]


@pytest.mark.parametrize(
    ("trials", "about", "title"),
    [
        (CALIBRATED, {}, "What calibration changes: static on ONNX Runtime"),
        (PRUNED, test_pruning.ABOUT, "Accuracy over the share of weights that is gone"),
        (TRAINED, {}, "Training curves"),
    ],
)
def test_what_else_a_study_has_is_drawn(
    lab_home: Path, tmp_path: Path, trials: list[Trial], about: dict[str, Any], title: str
) -> None:
    study = fakes.study()
    text = written(added(trials, replace(study, spec=replace(study.spec, about=about))), tmp_path)
    assert f"<h3>{title}</h3>" in text
    figure = figures_in(text)[-1]
    assert any(
        len(trace.get("x") or ()) > 1 and isinstance(trace["x"], list) for trace in figure["data"]
    )
    assert "<a" not in json.dumps(figure)


def test_a_study_in_which_everything_failed(lab_home: Path, tmp_path: Path) -> None:
    text = written(added([fakes.broken(n) for n in range(3)]), tmp_path)
    assert 'id="plotly"' not in text
    assert "Failed trials (3)" in text
    assert "No trial has all of the study" in text


def test_a_large_study_stays_small(lab_home: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    made = fakes.with_evidence(fakes.trials(350, failed=10), tmp_path / "evidence")
    lab.export(added(made), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < LARGEST_BYTES
