"""Which trials do the same in another order, and what recipes do so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lab.analysis.differences import pack
from lab.analysis.orders import orders, other_orders
from lab.types import Recipe, Step, Target, Trial, TrialDetails
from tests import fakes

A, B, Q, CONVERT = (
    Step("prune", {"ratio": 0.5}),
    Step("train", {"bits": 8}),
    Step("quantize", {}),
    Step("convert", {}),
)
RIGHT = np.arange(400) < 360


def made(position: int, *steps: Step, right: np.ndarray = RIGHT, **more: object) -> Trial:
    trial = fakes.trial(f"t{position}", float(right.mean()), 1e5, 1e-3, position=position)
    return replace(
        trial,
        recipe=Recipe(steps),
        details=TrialDetails(correct=pack(right, "top1_accuracy")),
        **more,
    )  # type: ignore[arg-type]


def test_the_same_steps_in_another_order_are_a_pair_wherever_conversions_stand() -> None:
    worse = RIGHT & (np.arange(400) > 60)
    first, second = made(0, A, B, CONVERT, Q), made(1, B, CONVERT, A, Q, right=worse)
    (pair,) = orders([first, second], ["top1_accuracy", "latency_s"], {"convert"})
    assert (pair.first.id, pair.second.id) == (first.id, second.id)
    found = pair.differences["top1_accuracy"]
    assert found.value == pytest.approx((worse.sum() - RIGHT.sum()) / 400)
    assert found.differs
    assert list(pair.differences) == ["top1_accuracy"]


@pytest.mark.parametrize(
    "other",
    [
        made(1, A, B, CONVERT, Q),  # the same order
        made(1, replace(B, params={"bits": 4}), A, Q),  # other settings
        made(1, B, A),  # a step less
        made(1, B, A, Q, target=Target("litert")),
        made(1, B, A, Q, environment="env-2"),
        made(1, B, A, Q, state="failed"),
    ],
)
def test_what_else_differs_is_no_pair(other: Trial) -> None:
    assert orders([made(0, A, B, Q), other], ["top1_accuracy"], {"convert"}) == ()


def test_three_orders_are_three_pairs_and_their_p_values_are_corrected() -> None:
    worse = RIGHT & (np.arange(400) > 6)
    trials = [made(0, A, B, Q), made(1, B, A, Q, right=worse), made(2, B, Q, A)]
    found = orders(trials, ["top1_accuracy"], ())
    assert len(found) == 3
    differences = [p.differences["top1_accuracy"] for p in found]
    assert all(d.adjusted is not None and d.adjusted >= d.p for d in differences)


def test_neighbours_of_one_format_can_change_places() -> None:
    movable = {"prune": "torch_export", "train": "torch_export"}
    assert other_orders([A, B, Q], movable) == (Recipe((B, A, Q)),)
    assert other_orders([A, Q, B], movable) == ()
    assert other_orders([A, A, Q], movable) == ()
    assert other_orders([A, B], {"prune": "keras", "train": "torch_export"}) == ()
    assert other_orders([A, B, replace(A, params={"ratio": 0.1})], movable) == (
        Recipe((B, A, replace(A, params={"ratio": 0.1}))),
        Recipe((A, replace(A, params={"ratio": 0.1}), B)),
    )
