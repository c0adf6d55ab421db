"""`python -m lab pruning` and what the command line says of a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lab
from lab import cli
from lab.analysis.pruning import lesson
from lab.analysis.training import Phase, Training
from lab.cli.output import show_training
from tests import fakes
from tests.unit.analysis.test_pruning import ABOUT, TRIALS
from tests.unit.analysis.test_training import POINTS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A lab in which the lesson has been given already."""
    specs: list[object] = []
    monkeypatch.setattr(
        lab, "start", lambda spec, title="": specs.append(spec) or "s", raising=False
    )
    monkeypatch.setattr(lab, "wait", lambda *_: fakes.study("s"), raising=False)
    monkeypatch.setattr(
        lab, "pruning", lambda _: lesson(ABOUT, TRIALS, "top1_accuracy"), raising=False
    )
    monkeypatch.setattr(lab, "trials", lambda _: TRIALS, raising=False)
    return specs


def test_the_lesson_is_a_table_and_sentences(
    asked: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    cli.main(
        ["pruning", "digits_lenet", "--shares", "0.5,0.9", "--steps", "20", "--json", str(file)]
    )
    (spec,) = asked
    assert spec.about["steps"] == 20
    assert [
        len(next(iter(stage.values()))["ratio"]) for stage in (chain[0] for chain in spec.chains)
    ] == [2, 2]
    shown = capsys.readouterr().out
    assert "whole channels, fine-tuned" in shown
    assert "zeros are stored and multiplied like any number" in shown
    assert len(json.loads(file.read_text())["lines"]) == 4


def test_shares_that_are_no_numbers_are_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["pruning", "digits_lenet", "--shares", "half"])
    assert stopped.value.code == 2
    assert "such as 0.2,0.5,0.8" in capsys.readouterr().err


def test_a_running_training_has_a_line_whenever_it_got_further(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say, running = (
        show_training(),
        Training("k", "finetune200", (Phase("train", 200, POINTS),), "running"),
    )
    say([running, Training("w", "waits", state="waiting", steps=5)])
    say([running])
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "  training finetune200: step 50 of 200, about 30 seconds left, accuracy on held-out items"
        " 90.0 %, loss 0.3"
    ]
