"""The section about threads and batches: asked for, while it is measured, and what came of it."""

from __future__ import annotations

from dataclasses import replace

from streamlit.testing.v1 import AppTest

import lab
from lab.types import StudySpec, Target
from tests import fakes
from tests.pages.test_study import text_of


def page() -> None:
    import streamlit as st

    import lab
    from pages.panels.scaling import scaling_section

    trials = {t.id: t for t in lab.trials(st.query_params["study"])}
    scaling_section(trials[st.query_params["trial"]])


def shown(study: str, trial: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params["study"], app.query_params["trial"] = study, trial
    return app.run()


def parent(add_study) -> tuple[str, str]:
    trial = replace(fakes.trial("v", 0.9, 1e5, 1e-3, position=0, study="parent"), id="parent-0000")
    return add_study([trial], id_="parent"), trial.id


def scaling_study(
    add_study, trial: str, points: dict[tuple[int, int], float], state: str = "complete"
) -> str:
    made = [
        replace(
            fakes.trial("v", 0.9, 1e5, seconds, position=n, spread=(0.01, 1e-5), study="scaling"),
            id=f"scaling-{n:04d}",
            target=Target("ort", {"threads": threads, "batch": batch}),
        )
        for n, ((threads, batch), seconds) in enumerate(points.items())
    ]
    about = {"kind": "scaling", "study": "parent", "trial": trial, "threads": 1}
    return add_study(
        made,
        id_="scaling",
        state=state,
        spec=StudySpec("digits_lenet", targets=(Target("ort"),), about=about),
    )


def test_it_is_measured_when_asked_for(add_study, monkeypatch) -> None:
    study, trial = parent(add_study)
    asked = []
    monkeypatch.setattr(lab, "start_scaling", lambda id_: asked.append(id_), raising=False)
    app = shown(study, trial)
    assert not app.exception
    app.button(key="measure_scaling").click().run()
    assert asked == [trial]


def test_curves_words_and_table(add_study) -> None:
    study, trial = parent(add_study)
    scaling_study(add_study, trial, {(1, 1): 1e-3, (2, 1): 6e-4, (1, 2): 1.5e-3, (1, 4): 2.5e-3})
    app = shown(study, trial)
    assert not app.exception
    text = text_of(app).replace("\\", "")
    assert "2 threads: speed-up 1.67× (1.63–1.70×) of an ideal 2×" in text
    assert "Batch 4: 1,600 /s" in text
    assert "Amdahl" in text
    frame = app.dataframe[0].value
    assert list(frame["Setting"]) == ["1 thread", "2 threads", "batch 1", "batch 2", "batch 4"]
    assert "Remarks" not in frame


def test_while_nothing_is_known_it_says_so(add_study) -> None:
    study, trial = parent(add_study)
    scaling_study(add_study, trial, {}, state="running")
    app = shown(study, trial)
    assert not app.exception
    assert "appear here automatically" in text_of(app)


def test_where_nothing_could_be_measured_it_says_why(add_study) -> None:
    study, trial = parent(add_study)
    scaling_study(add_study, trial, {})
    app = shown(study, trial)
    assert not app.exception
    assert "Nothing could be measured" in text_of(app)
