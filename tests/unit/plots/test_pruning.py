"""The pruning lesson as drawn, as a table and in sentences."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.analysis.pruning import lesson
from lab.plots.pruning.figure import cost_figure, pruning_figure
from lab.plots.pruning.info import COSTS, pruning_info
from lab.plots.pruning.sentences import pruning_texts
from lab.plots.pruning.table import pruning_json, pruning_rows
from tests.unit.analysis.test_pruning import ABOUT, TRIALS

FOUND = lesson(ABOUT, TRIALS, "top1_accuracy")
BY_ID = {t.id: t for t in TRIALS}


def test_each_line_begins_at_the_model_that_was_not_pruned() -> None:
    info = pruning_info(FOUND)
    assert info.baseline == pytest.approx((95.0, 94.0, 96.0))
    starts = {c.name: c.points[0][:3] for c in info.curves}
    assert starts["whole channels"] == (TRIALS[0].id, 0.0, pytest.approx(95.0))
    assert starts["single weights, fine-tuned"] == (TRIALS[1].id, 0.0, pytest.approx(95.5))


def test_costs_are_shares_of_the_float_models() -> None:
    costs = {c.name: c.costs for c in pruning_info(FOUND).curves}
    assert [y for _, y in costs["whole channels"]["size_bytes"]] == pytest.approx([100, 70, 30])
    assert [y for _, y in costs["whole channels"]["latency_s"]] == pytest.approx([100, 80, 50])
    assert {y for _, y in costs["single weights"]["size_bytes"]} == {100.0}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_point_can_be_clicked_and_every_cost_is_drawn(mode: str) -> None:
    info = pruning_info(FOUND)
    figure = json.loads(pruning_figure(info, mode).to_json())  # type: ignore[arg-type]
    drawn = [t for t in figure["data"] if t.get("customdata")]
    assert {row[0] for t in drawn for row in t["customdata"]} == set(BY_ID)
    assert {t["line"]["dash"] for t in drawn} == {"dash", "solid"}
    for metric in COSTS:
        figure = json.loads(cost_figure(info, metric, mode).to_json())  # type: ignore[arg-type]
        assert len(figure["data"]) == 1 + len(info.curves)


def test_sentences_tell_how_far_one_can_go_and_that_zeros_are_stored() -> None:
    reach, won, zeros, channels = pruning_texts(FOUND, BY_ID)
    assert (
        reach == "With at most 1 point of accuracy lost, pruning can remove this share of the"
        " weights: 0 % as whole channels (74 % with fine-tuning), 54 % as single weights"
        " (81 % with fine-tuning)."
    )
    assert won.startswith("Fine-tuning recovers most for t6: 34.5 points, from 60.0 to 94.5 %")
    assert (
        "With 81 % of the weights at zero, the model is as large as before and as fast as before"
        in zeros
    )
    assert (
        "With 74 % of the weights pruned as whole channels, the model is 3.33× smaller and 2.00×"
        " faster" in channels
    )


def test_nothing_is_said_before_there_is_something() -> None:
    assert pruning_texts(lesson(ABOUT, TRIALS[:1], "top1_accuracy"), BY_ID) == ()
    assert pruning_texts(lesson(ABOUT, TRIALS[2:], "top1_accuracy"), BY_ID) == ()


def test_a_table_with_what_failed() -> None:
    broken = replace(
        TRIALS[2], state="failed", measurements={}, error={"message": "No channel is left."}
    )
    rows = pruning_rows(lesson(ABOUT, [*TRIALS[:2], broken, *TRIALS[3:]], "top1_accuracy"))
    assert len({tuple(row) for row in rows}) == 1
    assert [row["Remarks"] for row in rows if row["Remarks"]] == ["No channel is left."]
    assert rows[0]["Pruned weights"] == "0.0 %"
    told = pruning_json(FOUND)
    assert [len(line["points"]) for line in told["lines"]] == [2, 1, 2, 1]


def test_what_is_not_measured_yet_is_not_told() -> None:
    unmeasured = [
        replace(t, measurements={k: m for k, m in t.measurements.items() if k != "latency_s"})
        for t in TRIALS
    ]
    zeros, channels = pruning_texts(lesson(ABOUT, unmeasured, "top1_accuracy"), BY_ID)[-2:]
    assert "the model is as large as before, because zeros are stored" in zeros
    assert "fast" not in zeros + channels
