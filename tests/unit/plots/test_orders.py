"""Orders of steps and seeds of trainings, in tables and sentences."""

from __future__ import annotations

import numpy as np

from lab.analysis.orders import orders
from lab.analysis.spread import spread
from lab.plots.orders import (
    order_rows,
    order_text,
    orders_json,
    spread_json,
    spread_rows,
    spread_text,
)
from tests.unit.analysis import test_orders, test_spread
from tests.unit.analysis.test_orders import RIGHT, A, B, Q

WORSE = RIGHT & (np.arange(400) > 60)
SPREAD = spread(
    [test_spread.made(n, 0.90 + 0.01 * n, n) for n in range(3)], ["top1_accuracy", "size_bytes"]
)


def pairs(right: np.ndarray) -> tuple:
    return orders(
        [test_orders.made(0, A, B, Q), test_orders.made(1, B, A, Q, right=right)],
        ["top1_accuracy"],
        (),
    )


def test_the_better_order_is_named_with_its_gain() -> None:
    found = pairs(WORSE)
    assert (
        order_text(found, "top1_accuracy")
        == "The order matters in 1 of 1 pair: t0 beats t1 by 15.2 points of accuracy."
    )
    rows = order_rows(found)
    assert [row["Metric"] for row in rows] == ["Accuracy", "Size"]
    assert rows[0]["Second is"] == "15.2 points less accurate"
    assert rows[1]["Second is"] == "no change"
    assert orders_json(found)[0]["first"]["name"] == "t0"


def test_no_difference_and_no_comparison_are_said_apart() -> None:
    assert "changes accuracy by more than chance in none of 1 pair" in order_text(
        pairs(RIGHT), "top1_accuracy"
    )
    assert "cannot be compared" in order_text(pairs(RIGHT), "latency_s")


def test_seeds_are_told_with_mean_and_ends() -> None:
    (row,) = spread_rows(SPREAD)
    assert row == {
        "Recipe": "t0",
        "Seeds": "0, 1, 2",
        "Accuracy": "91.0 % (90.0–92.0 %)",
        "Size": "100 kB",
    }
    assert "changes accuracy by up to 2.0 points (t0)" in spread_text(SPREAD, "top1_accuracy")
    assert spread_text(SPREAD, "latency_s") == ""
    assert spread_text(SPREAD, "size_bytes") == "All seeds of the same training give the same size."
    assert spread_json(SPREAD)[0]["ranges"]["top1_accuracy"]["n"] == 3
