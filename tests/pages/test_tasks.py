"""Studies of tasks other than classification, and numbers that have parts, on the Results page."""

from __future__ import annotations

from dataclasses import replace

from lab.types import Measurement, StudySpec, Trial
from tests import fakes


def text_of(app) -> str:
    kinds = ("markdown", "caption", "success", "metric")
    return "\n".join(
        str(e.value) + getattr(e, "label", "") for kind in kinds for e in app.get(kind)
    )


def as_auc(trial: Trial) -> Trial:
    """The same trial, judged by AUC."""
    others = {
        k: v for k, v in trial.measurements.items() if k not in ("top1_accuracy", "agreement")
    }
    judged = {"auc": replace(trial.measurements["top1_accuracy"], metric="auc")} if others else {}
    return replace(trial, measurements={**judged, **others})


def test_a_study_of_an_anomaly_detector_is_judged_by_auc(open_page, add_study):
    spec = StudySpec(
        "digits_lenet",
        objectives=(fakes.Objective("auc", "maximize"), *StudySpec("x").objectives[1:]),
    )
    id_ = add_study([as_auc(t) for t in fakes.trials()], spec=spec)
    app = open_page("study", study=id_, detail="Numbers")
    assert not app.exception
    assert app.selectbox(key="choice_y").options[0] == "AUC"
    assert app.selectbox(key="choice_y").value == "auc"
    assert "AUC" in [m.label for m in app.metric]
    assert "AUC" in app.button_group(key="choice_goal").options
    assert "accura" not in text_of(app)


def test_accuracy_by_class_is_listed_with_the_weakest_first(open_page, add_study):
    parts = tuple(Measurement(str(c), 0.9 + c / 100, "1", 60, 0.8, 0.99) for c in (3, 1, 2))
    weakest = Measurement("per_class_accuracy", 0.91, "1", 60, 0.8, 0.99, parts=parts)
    made = [
        replace(t, measurements={**t.measurements, weakest.metric: weakest})
        for t in fakes.trials(6, failed=0)
    ]
    id_ = add_study(made)
    app = open_page("study", study=id_, detail="Numbers")
    assert not app.exception
    (frame,) = [d.value for d in app.dataframe if "Class" in d.value.columns]
    assert list(frame["Class"]) == ["1", "2", "3"]
    assert list(frame["Value"]) == ["91.0 %", "92.0 %", "93.0 %"]
    assert list(frame["Float"]) == ["91.0 %", "92.0 %", "93.0 %"]
