from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.finetuning.loop import WARM_UP, Course, Progress, course, gives_shares
from lab.finetuning.options import TRAINING, training_suffix
from lab.options import validate
from lab.plugs import Context, TrainingSet


class Line:
    """Learns a number: each step moves it towards the mean of the rows' numbers, plus what the seed
    draws.
    """

    def __init__(self, items: Any, check: list[float] | None = None) -> None:
        self.items, self.value, self.kept = items, 0.0, 0.0
        self.seen: list[Any] = []
        self.check = iter(check or [])

    def step(self, rows: Any, rate: float, seed: int) -> float:
        self.seen.append(rows)
        noise = np.random.default_rng(seed).normal()
        self.value += rate * (self.items[rows].mean() - self.value + noise)
        return abs(self.value)

    def look(self) -> dict[str, float]:
        return {"check_loss": next(self.check, abs(self.items.mean() - self.value))}

    def save(self, file: Path) -> None:
        np.save(file.open("wb"), np.asarray([self.value, self.kept]))

    def load(self, file: Path) -> None:
        self.value, self.kept = map(float, np.load(file))

    def keep(self) -> None:
        self.kept = self.value

    def back(self) -> None:
        self.value = self.kept


class Killed(Exception):
    """Stands for SIGKILL."""


def context(
    folder: Path | None = None, told: list[Any] | None = None, notes: dict[str, Any] | None = None
) -> Context:
    kept: Any = {} if notes is None else notes
    return Context(
        Path(),
        None,
        None,
        None,
        kept.__setitem__,
        checkpoint=folder,  # type: ignore[arg-type]
        tell=(told if told is not None else []).append,
    )


def params(**given: Any) -> dict[str, Any]:
    return validate(
        TRAINING, {"train_steps": 40, "batch_size": 4, "learning_rate": 2e-3, **given}, "test"
    )


ITEMS = np.arange(30.0)
DATA = TrainingSet(ITEMS, ITEMS, ITEMS, ITEMS)


def test_each_item_is_seen_once_in_an_epoch_and_in_another_order_in_the_next() -> None:
    line = Line(ITEMS)
    course(line, context(), DATA, params(train_steps=14), "train", None, None)
    first, second = (
        np.concatenate(line.seen[at : at + 7]) for at in (0, 7)
    )  # 7 batches of 4 of 30 items
    assert max(Counter(first.tolist()).values()) == 1
    assert max(Counter(second.tolist()).values()) == 1
    assert first.tolist() != second.tolist()


def test_a_small_set_is_one_batch() -> None:
    line = Line(ITEMS[:3])
    course(line, context(), replace(DATA, x=ITEMS[:3]), params(train_steps=2), "train", None, None)
    assert [sorted(rows.tolist()) for rows in line.seen] == [[0, 1, 2]] * 2


def test_the_seed_tells_all() -> None:
    made = []
    for seed in (0, 0, 1):
        line = Line(ITEMS)
        course(line, context(), DATA, params(train_seed=seed), "train", None, None)
        made.append(line.value)
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("at", [1, 7, 23, 39])
def test_what_was_killed_goes_on_from_its_checkpoint_and_comes_to_the_same(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.finetuning.loop.CHECKPOINT_S", 0.0)
    whole, first, second = Line(ITEMS), Line(ITEMS), Line(ITEMS)
    course(whole, context(), DATA, params(), "train", None, None)

    def kill(step: int, total: int) -> None:
        if step == at:
            raise Killed

    with pytest.raises(Killed):
        course(first, context(tmp_path), DATA, params(), "train", None, kill)
    progress = course(second, context(tmp_path), DATA, params(), "train", None, None)
    assert second.value == whole.value
    assert len(second.seen) == 40 - (at - 1)
    assert [p["step"] for p in progress.points] == sorted({p["step"] for p in progress.points})
    assert len(list(tmp_path.glob("*.state"))) == 1


def test_a_phase_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    for phase, steps in (("first", 3), ("second", 5)):
        course(Line(ITEMS), context(tmp_path), DATA, params(), phase, steps, None)
    again = Line(ITEMS)
    course(again, context(tmp_path), DATA, params(), "first", 3, None)
    assert again.seen == []
    assert again.value != 0


@pytest.mark.parametrize(
    ("schedule", "shape"),
    [
        ("cosine", lambda left: (1 - cos(pi * left)) / 2),
        ("linear", lambda left: left),
        ("constant", lambda left: 1.0),
    ],
)
def test_the_rate_rises_and_falls_as_it_is_called(schedule: str, shape: Any) -> None:
    told = Course(
        Line(ITEMS),
        context(),
        30,
        params(schedule=schedule, learning_rate=0.1, train_steps=100),
        "train",
        100,
        lambda *_: None,
    )
    rates = [told.rate(Progress(step=n)) for n in range(100)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[0] < 0.05
    for n in (5, 30, 60, 99):
        assert rates[n] == pytest.approx(0.1 * shape(1 - (n / 100 - WARM_UP) / (1 - WARM_UP)))


def test_time_ends_it_and_the_rate_falls_with_the_time() -> None:
    told = Course(
        Line(ITEMS),
        context(),
        30,
        params(train_seconds=10.0, schedule="linear", learning_rate=1.0),
        "train",
        40,
        lambda *_: None,
    )
    assert told.rate(Progress(step=4, seconds=8.0)) == pytest.approx(0.2 / 0.95)
    line = Line(ITEMS)
    progress = course(
        line,
        context(),
        DATA,
        params(train_steps=1_000_000, train_seconds=0.05),
        "train",
        None,
        None,
    )
    assert progress.seconds < 1
    assert progress.step < 1_000_000


def test_patience_ends_it_and_the_best_weights_are_taken() -> None:
    line = Line(ITEMS, check=[9.0, 3.0, 5.0, 4.0, 6.0])
    values: list[float] = []
    notes: dict[str, Any] = {}
    progress = course(
        line,
        context(notes=notes),
        DATA,
        params(patience=3, train_steps=120),
        "train",
        None,
        lambda step, total: values.append(line.value),
    )
    assert progress.step == 40  # a look each tenth step, and the best was at step 10
    assert line.value == values[9]
    assert "ended early" in notes["training"]


def test_the_curve_is_told_while_it_runs() -> None:
    told: list[Any] = []
    course(Line(ITEMS), context(told=told), DATA, params(train_steps=120), "train", None, None)
    assert len(told) > 30
    last = told[-1]
    assert (last["phase"], last["steps"]) == ("train", 120)
    assert [p["step"] for p in last["points"]] == list(range(0, 121, 2))
    assert [p["step"] for p in last["points"] if "check_loss" in p] == list(range(0, 121, 10))
    assert all({"rate", "loss", "seconds"} <= set(p) for p in last["points"][1:])


def test_between_points_it_tells_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.finetuning.loop.REPORTED_S", 0.0)
    told: list[Any] = []
    course(Line(ITEMS), context(told=told), DATA, params(train_steps=120), "train", None, None)
    assert [curve["now"]["step"] for curve in told if "now" in curve] == list(range(1, 120, 2))
    assert "now" not in told[-1]


@pytest.mark.parametrize(
    ("asked", "first", "rate"), [(0.0, 6e-3, 4.8e-3), (0.0, None, 1e-3), (0.01, 6e-3, 0.01)]
)
def test_the_usual_rate_is_of_the_first_training(
    asked: float, first: float | None, rate: float
) -> None:
    given = params(learning_rate=asked, schedule="constant")
    progress = course(Line(ITEMS), context(), replace(DATA, rate=first), given, "train", None, None)
    assert progress.points[-1]["rate"] == pytest.approx(rate)


def test_it_says_what_it_learnt_from() -> None:
    notes: dict[str, Any] = {}
    course(
        Line(ITEMS),
        context(notes=notes),
        replace(DATA, source="calibration items"),
        params(),
        "train",
        None,
        None,
    )
    assert notes["learnt from"] == "30 items: calibration items"


def test_shares_are_told_from_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20, 5))
    assert not gives_shares(logits)
    assert gives_shares(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))


def test_the_name_tells_what_is_not_usual() -> None:
    assert training_suffix(params(train_steps=400, batch_size=128, learning_rate=0.0)) == ""
    given = {
        "learning_rate": 1e-3,
        "distillation": 0.5,
        "train_seed": 2,
        "bf16": True,
        "schedule": "linear",
    }
    assert training_suffix(given) == "_lr0.001_linear_kd0.5_bf16_seed2"
