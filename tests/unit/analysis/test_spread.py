"""Trials that differ in nothing but the training's seed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.analysis.spread import spread
from lab.types import Recipe, Step, Target, Trial
from tests import fakes


def made(position: int, accuracy: float, seed: int, **more: object) -> Trial:
    trial = fakes.trial(f"t{position}", accuracy, 1e5, 1e-3, position=position)
    steps = (
        Step("prune", {"ratio": more.pop("ratio", 0.5)}),
        Step("tune", {"train_steps": 40, "train_seed": seed}),
    )
    return replace(trial, recipe=Recipe(steps), **more)  # type: ignore[arg-type]


def test_mean_lowest_and_highest_over_seeds() -> None:
    trials = [made(0, 0.90, 1), made(1, 0.94, 0), made(2, 0.92, 2), made(3, 0.5, 0, ratio=0.9)]
    (found,) = spread(trials, ["top1_accuracy", "size_bytes"])
    assert (found.name, found.seeds) == ("t1", (0, 1, 2))
    assert found.trials == tuple(trials[n].id for n in (1, 0, 2))
    accuracy = found.ranges["top1_accuracy"]
    assert (accuracy.mean, accuracy.low, accuracy.high, accuracy.n) == (
        pytest.approx(0.92),
        0.90,
        0.94,
        3,
    )
    assert found.ranges["size_bytes"].low == found.ranges["size_bytes"].high == 1e5


@pytest.mark.parametrize(
    "more",
    [{"state": "failed"}, {"target": Target("litert")}, {"environment": "env-2"}, {"ratio": 0.9}],
)
def test_what_else_differs_is_apart(more: dict[str, object]) -> None:
    assert spread([made(0, 0.9, 0), made(1, 0.9, 1, **more)], ["top1_accuracy"]) == ()


def test_one_seed_and_no_training_have_no_spread() -> None:
    assert spread([made(0, 0.9, 0), made(1, 0.9, 0), *fakes.trials(5)], ["top1_accuracy"]) == ()


def test_a_number_that_is_missing_somewhere_is_left_out() -> None:
    bare = made(1, 0.9, 1, measurements={"size_bytes": fakes.measured("size_bytes", 1e5)})
    (found,) = spread([made(0, 0.9, 0), bare], ["top1_accuracy", "size_bytes"])
    assert list(found.ranges) == ["size_bytes"]
