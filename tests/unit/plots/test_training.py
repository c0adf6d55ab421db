"""Trainings as drawn and in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.analysis.training import Phase, Training
from lab.plots import training as plots
from tests.unit.analysis.test_training import POINTS

PHASE = Phase("train", 200, POINTS)
RUNNING = Training("k", "finetune200", (PHASE,), "running", steps=200)


def test_losses_and_accuracy_are_drawn_where_they_were_looked_at() -> None:
    (line,) = plots.training_info([RUNNING, Training("w", "later", state="waiting")]).lines
    assert line.loss == ((40, 0.4), (50, 0.3))
    assert line.check_loss == ((0, 0.5), (50, 0.2))
    assert line.accuracy == ((0, 80.0), (50, 90.0))
    assert line.steps == 200


def test_phases_follow_each_other() -> None:
    (line,) = plots.training_info([replace(RUNNING, phases=(PHASE, PHASE))]).lines
    assert [x for x, _ in line.loss] == [40, 50, 90, 100]
    assert line.steps == 250


def test_the_last_ones_are_drawn_and_keep_their_colours() -> None:
    every = [replace(RUNNING, key=str(n), name=f"t{n}") for n in range(plots.MOST + 2)]
    info = plots.training_info(every)
    assert (info.lines[0].name, info.left_out) == ("t2", 2)
    before = plots.training_info(every[:-1])
    number = {line.name: line.number % plots.MOST for line in before.lines}
    assert all(
        number[line.name] == line.number % plots.MOST for line in info.lines if line.name in number
    )


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_figure_keeps_its_zoom_and_has_an_axis_for_accuracy_only_where_there_is_one(
    mode: str,
) -> None:
    figure = json.loads(
        plots.training_figure(plots.training_info([RUNNING]), "key", mode).to_json()
    )  # type: ignore[arg-type]
    assert figure["layout"]["uirevision"] == "key"
    assert {t["yaxis"] for t in figure["data"]} == {"y", "y2"}
    assert sum(t["showlegend"] for t in figure["data"]) == 1
    values = tuple({k: v for k, v in p.items() if k != "accuracy"} for p in POINTS)
    other = plots.training_figure(
        plots.training_info([replace(RUNNING, phases=(Phase("train", 9, values),))]), "key"
    )
    assert {t["yaxis"] for t in json.loads(other.to_json())["data"]} == {"y"}


def test_words() -> None:
    assert (
        plots.progress_text(RUNNING)
        == "step 50 of 200, about 30 seconds left, accuracy on held-out items 90.0 %, loss 0.3"
    )
    assert (
        plots.progress_text(Training("k", "n", state="waiting", steps=400)) == "400 steps planned"
    )
    assert (
        plots.progress_text(replace(RUNNING, state="waiting"))
        == "continues from its last checkpoint"
    )
    assert (
        plots.count_text(
            [RUNNING, replace(RUNNING, state="done"), replace(RUNNING, state="waiting")]
        )
        == "1 of 3 trainings done, 1 running, 1 waiting"
    )
    assert plots.count_text([]) == ""


def test_the_bar_follows_steps_or_time_whichever_ends_it() -> None:
    assert plots.share_done(RUNNING) == pytest.approx(0.25)
    assert plots.share_done(replace(RUNNING, limit_s=20.0)) == pytest.approx(0.5)
    assert plots.share_done(Training("k", "n")) == 0.0


def test_rows_and_json_have_the_same_numbers() -> None:
    (row,) = plots.training_rows([RUNNING])
    assert row == {
        "Training": "finetune200",
        "Steps": "50 of 200",
        "Time": "10.0 s",
        "Loss": "0.4 → 0.3",
        "Held-out accuracy": "80.0 % → 90.0 %",
    }
    (told,) = plots.curves_json([RUNNING])
    assert told["phases"][0]["points"] == list(POINTS)
