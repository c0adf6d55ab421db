"""The four lines of the pruning lesson, and how many weights are really gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.analysis.pruning import KIND, channels_for, furthest, lesson, removed
from lab.types import Recipe, Step, Trial, TrialDetails
from tests import fakes

ABOUT = {
    "kind": KIND,
    "structured": "channels",
    "unstructured": "weights",
    "tune": "tune",
    "parameters": 10_000,
}
TUNE = Step("tune", {"train_steps": 40})


def channels_note(left: int) -> dict[str, str]:
    return {"parameters": f"10,000 → {left:,} (÷ {10_000 / left:.2f})"}


def zeros_note(zeros: int) -> dict[str, Any]:
    return {"pruning": {"zeros": zeros, "weights": 9_000, "sparsity": zeros / 9_000}}


def made(
    position: int,
    accuracy: float,
    *steps: Step,
    notes: object = None,
    size: float = 1e5,
    seconds: float = 1e-3,
) -> Trial:
    trial = fakes.trial(
        f"t{position}", accuracy, size, seconds, position=position, spread=(0.01, 2e-5)
    )
    return replace(
        trial,
        recipe=Recipe((*steps, Step("convert"))),
        is_baseline=not steps,
        details=TrialDetails(notes=notes or {}),
    )


def pruned(technique: str, ratio: float, *more: Step) -> tuple[Step, ...]:
    return (Step(technique, {"ratio": ratio}), *more)


TRIALS = [
    made(0, 0.95),
    made(1, 0.955, TUNE),
    made(2, 0.70, *pruned("channels", 0.5), notes=channels_note(2_600), size=3e4, seconds=5e-4),
    made(
        3, 0.94, *pruned("channels", 0.5, TUNE), notes=channels_note(2_600), size=3e4, seconds=5e-4
    ),
    made(4, 0.93, *pruned("channels", 0.2), notes=channels_note(6_500), size=7e4, seconds=8e-4),
    made(5, 0.948, *pruned("weights", 0.6), notes=zeros_note(5_400)),
    made(6, 0.60, *pruned("weights", 0.9), notes=zeros_note(8_100)),
    made(7, 0.945, *pruned("weights", 0.9, TUNE), notes=zeros_note(8_100)),
]


def test_every_trial_is_on_the_line_of_what_was_done_to_it() -> None:
    found = lesson(ABOUT, TRIALS, "top1_accuracy")
    assert found.baseline
    assert found.tuned
    assert (found.baseline.trial, found.tuned.trial) == (TRIALS[0].id, TRIALS[1].id)
    lines = {(x.way, x.tuned): [p.trial for p in x.points] for x in found.lines}
    ids = [t.id for t in TRIALS]
    assert lines == {
        ("structured", False): [ids[4], ids[2]],
        ("structured", True): [ids[3]],
        ("unstructured", False): [ids[5], ids[6]],
        ("unstructured", True): [ids[7]],
    }


def test_shares_are_of_all_parameters_as_the_techniques_counted_them() -> None:
    found = lesson(ABOUT, TRIALS, "top1_accuracy")
    assert [p.removed for p in found.line("structured", False).points] == pytest.approx(
        [0.35, 0.74]
    )
    assert [p.removed for p in found.line("unstructured", False).points] == pytest.approx(
        [0.54, 0.81]
    )
    assert all(p.counted for line in found.lines for p in line.points)


def test_what_was_not_counted_is_said_to_be_as_asked_for() -> None:
    bare = [replace(t, details=TrialDetails()) for t in TRIALS]
    found = lesson(ABOUT, bare, "top1_accuracy")
    assert [p.removed for p in found.line("structured", False).points] == pytest.approx(
        [0.36, 0.75]
    )
    assert [p.removed for p in found.line("unstructured", False).points] == [0.6, 0.9]
    assert not any(p.counted for line in found.lines for p in line.points)


def test_notes_of_another_form_count_nothing() -> None:
    assert removed({"parameters": "many"}, "structured", 10) is None
    assert removed({"pruning": "60 %"}, "unstructured", 10) is None
    assert removed({"parameters": "10,000 → 2,500"}, "structured", 1) == pytest.approx(0.75)


def test_a_failure_keeps_its_reason() -> None:
    broken = replace(
        TRIALS[2], state="failed", measurements={}, error={"message": "No channel is left."}
    )
    line = lesson(ABOUT, [TRIALS[0], broken], "top1_accuracy").line("structured", False)
    assert line.points == ()
    assert line.failed == (("t2", "No channel is left."),)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_channels_are_taken_so_that_weights_fall_to_what_is_asked(share: float) -> None:
    assert (1 - channels_for(share)) ** 2 == pytest.approx(1 - share, abs=0.01)


def test_the_furthest_that_stays_near() -> None:
    found = lesson(ABOUT, TRIALS, "top1_accuracy")
    assert found.baseline
    near = {
        line: furthest(found.line(*line), found.baseline.quality, 0.011)
        for line in [("structured", False), ("structured", True), ("unstructured", False)]
    }  # type: ignore[arg-type]
    names = {line: p and p.name for line, p in near.items()}
    assert names == {
        ("structured", False): None,
        ("structured", True): "t3",
        ("unstructured", False): "t5",
    }
