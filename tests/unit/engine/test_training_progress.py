"""Which steps of a study train, and what is known of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import lab
from lab.engine import keys
from lab.engine.training_progress import trainings
from lab.spec.recipes import complete_step
from lab.store import records
from lab.store.blobs import keep, sha256_of
from lab.store.data import data_digest
from lab.types import Recipe, Step
from tests import fakes

TUNE = {
    n: complete_step(Step("keras_fine_tune", {"train_steps": 40, "train_seed": n})) for n in (0, 1)
}
CONVERT, QUANTIZE = (complete_step(Step(id_)) for id_ in ("keras_to_onnx", "onnx_static_int8"))
POINTS = [{"step": 0, "seconds": 0.0}, {"step": 10, "seconds": 1.0, "loss": 0.5}]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.delenv("LAB_DATABASE_URL", raising=False)
    recipes = [(), (TUNE[0], CONVERT), (TUNE[0], CONVERT, QUANTIZE), (TUNE[1], CONVERT)]
    trials = [
        replace(t, recipe=Recipe(r), state="queued")
        for t, r in zip(fakes.trials(5), recipes, strict=False)
    ]
    study = fakes.study(state="running")
    card = lab.model(study.model)
    records.add_study(study, replace(card, path=keep(Path(card.path), card.format).path), trials)
    records.update_study(study.id, started_at=1.0)
    return study.id


def key_of(*steps: Step) -> str:
    card = lab.model("digits_lenet")
    return keys.step_key(sha256_of(Path(card.path)), steps, card, data_digest(card))


def test_a_shared_training_is_told_once_and_waits_at_first(study: str) -> None:
    found = trainings(study)
    assert [(t.name, t.state, t.steps) for t in found] == [
        ("finetune40", "waiting", 40),
        ("finetune40_seed1", "waiting", 40),
    ]
    assert [t.key for t in found] == [key_of(TUNE[0]), key_of(TUNE[1])]


def test_one_that_was_told_of_runs_until_its_step_is_kept(study: str) -> None:
    records.keep_curve(
        key_of(TUNE[0]), "keras_fine_tune", [{"phase": "train", "steps": 40, "points": POINTS}]
    )
    first, second = lab.training_curves(study)
    assert (first.state, first.phases[0].step, second.state) == ("running", 10, "waiting")
    records.remember_step(key_of(TUNE[0]), "keras_fine_tune", {"notes": {}}, 1.0)
    assert trainings(study)[0].state == "done"


def test_a_curve_of_before_a_break_waits_to_go_on(study: str) -> None:
    records.keep_curve(
        key_of(TUNE[0]), "keras_fine_tune", [{"phase": "train", "steps": 40, "points": POINTS}]
    )
    records.update_study(study, started_at=4e9)
    assert trainings(study)[0].state == "waiting"


def test_what_failed_or_was_cancelled_has_ended(study: str) -> None:
    records.remember_step(
        key_of(TUNE[1]), "keras_fine_tune", {"error": {"type": "InvalidFile"}}, 1.0
    )
    assert trainings(study)[1].state == "ended"
    records.update_study(study, state="cancelled")
    assert [t.state for t in trainings(study)] == ["ended", "ended"]


def test_a_study_without_training_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    made = fakes.study()
    records.add_study(made, lab.model(made.model), fakes.trials(4))
    assert trainings(made.id) == ()
