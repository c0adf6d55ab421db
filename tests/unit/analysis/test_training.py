"""How far a training is, and which trials share one."""

from __future__ import annotations

import pytest

from lab.analysis.training import Phase, Training, of_trial, of_trials, phases_of
from lab.types import Recipe, Target, Trial, TrialDetails

POINTS = (
    {"step": 0, "seconds": 0.0, "check_loss": 0.5, "accuracy": 0.8},
    {"step": 40, "seconds": 8.0, "loss": 0.4},
    {"step": 50, "seconds": 10.0, "loss": 0.3, "check_loss": 0.2, "accuracy": 0.9},
)


def curve(
    key: str, phase: str = "train", steps: int = 200, technique: str = "torch_fine_tune"
) -> dict[str, object]:
    return {
        "key": key,
        "technique": technique,
        "phase": phase,
        "steps": steps,
        "points": list(POINTS),
    }


def trained(position: int, name: str, *curves: dict[str, object]) -> Trial:
    return Trial(
        f"s-{position:04d}",
        "s",
        position,
        name,
        Recipe(),
        Target("ort"),
        details=TrialDetails(training=tuple(curves)),
    )


def test_time_left_is_the_steps_left_at_the_pace_so_far_within_the_limit() -> None:
    phase = Phase("train", 200, POINTS)
    assert (phase.step, phase.seconds) == (50, 10.0)
    assert Training("k", "n", (phase,), "running").seconds_left == pytest.approx(150 * 0.2)
    assert Training("k", "n", (phase,), "running", limit_s=12.0).seconds_left == pytest.approx(2.0)
    assert Training("k", "n", (phase,), "running", limit_s=9.0).seconds_left == 0.0
    assert Training("k", "n").seconds_left is None
    assert Training("k", "n", (Phase("train", 200, POINTS[:1]),)).seconds_left is None


def test_the_first_and_the_newest_value_of_each_number() -> None:
    (phase,) = phases_of([curve("k")])
    assert (phase.first("loss"), phase.last("loss")) == (0.4, 0.3)
    assert (phase.first("accuracy"), phase.last("accuracy"), phase.best("check_loss")) == (
        0.8,
        0.9,
        0.5,
    )
    assert phase.last("nothing") is None


def test_a_trials_trainings_are_one_a_step_with_all_of_its_phases() -> None:
    found = of_trial(trained(0, "a", curve("k1", "step 1"), curve("k1", "step 2"), curve("k2")))
    assert [(t.key, [p.name for p in t.phases]) for t in found] == [
        ("k1", ["step 1", "step 2"]),
        ("k2", ["train"]),
    ]


def test_a_shared_training_is_there_once_under_the_shortest_recipe() -> None:
    trials = [
        trained(0, "finetune+int8", curve("k1")),
        trained(1, "finetune", curve("k1")),
        trained(2, "seed1", curve("k2")),
    ]
    assert {t.key: t.name for t in of_trials(trials)} == {"k1": "finetune", "k2": "seed1"}
