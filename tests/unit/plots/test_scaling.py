"""Scaling curves as drawn, as a table and in words."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest

from lab.analysis.scaling import Curve, Scaling, curve
from lab.plots import scaling as plots
from lab.types import Measurement, Recipe, Target, Trial


def made(seconds: float, half: float = 0.0, error: str = "", **options: int) -> Trial:
    latency = Measurement("latency_s", seconds, "s", 30, seconds - half, seconds + half)
    return Trial(
        f"s-{options}",
        "s",
        0,
        "int8",
        Recipe(),
        Target("ort", {"threads": 1, "batch": 1, **options}),
        error={"message": error} if error else None,
        measurements={} if error else {"latency_s": latency},
    )


THREADS = curve("threads", [made(1.0, 0.01), made(0.61, 0.01, threads=2)], 1)
BATCH = curve("batch", [made(2e-4 + 5e-5 * n, 1e-6, batch=n) for n in (1, 2, 4, 8)], 1)
FOUND = Scaling(
    "int8", THREADS, BATCH, curve("threads", [made(2.0), made(1.0, threads=2)], 1), Curve("batch")
)


def test_threads_are_drawn_as_speed_up_with_amdahls_line_and_the_ideal() -> None:
    info = plots.scaling_info(FOUND, "threads")
    mine, base = info.series
    assert (mine.name, base.name) == ("int8", "float baseline")
    assert [(x, round(y, 3)) for x, y, _, _ in mine.points] == [(1, 1.0), (2, 1.639)]
    assert info.ideal == ((1, 1.0), (2, 2.0))
    assert mine.fit[0] == pytest.approx((1, 1.0))
    assert mine.fit[-1] == pytest.approx((2, 1 / 0.61))
    middle = mine.fit[plots.STEPS // 2]
    assert middle == pytest.approx((math.sqrt(2), 1 / (0.22 + 0.78 / math.sqrt(2))))


def test_batches_are_drawn_as_items_a_second_between_no_gain_and_the_most() -> None:
    info = plots.scaling_info(FOUND, "batch")
    (mine,) = info.series
    assert [y for _, y, _, _ in mine.points] == pytest.approx(
        [n / (2e-4 + 5e-5 * n) for n in (1, 2, 4, 8)]
    )
    assert mine.floor == pytest.approx(1 / 2.5e-4)
    assert mine.ceiling == pytest.approx(20_000)
    assert info.ideal == ()


@pytest.mark.parametrize("dimension", ["threads", "batch"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_both_axes_are_in_powers_of_two_and_intervals_are_drawn(
    dimension: plots.Dimension, mode: str
) -> None:
    figure = plots.scaling_figure(plots.scaling_info(FOUND, dimension), mode).to_dict()  # type: ignore[arg-type]
    layout = figure["layout"]
    assert layout["xaxis"]["type"] == layout["yaxis"]["type"] == "log"
    marks = layout["yaxis"]["tickvals"]
    assert len(marks) >= 2
    assert all(b == pytest.approx(2 * a) for a, b in pairwise(marks))
    dots = next(t for t in figure["data"] if t["name"] == "int8")
    low, high = (10**end for end in layout["yaxis"]["range"])
    assert low < marks[0] <= min(dots["y"])
    assert max(dots["y"]) < high
    assert marks[-1] < high
    assert dots["error_y"]["array"][-1] > 0
    assert any(t.get("line", {}).get("dash") == "dash" for t in figure["data"])


def test_an_empty_study_is_drawn() -> None:
    empty = Scaling("", Curve("threads"), Curve("batch"), Curve("threads"), Curve("batch"))
    assert plots.scaling_texts(empty) == ()
    assert plots.scaling_rows(empty) == []
    for dimension in ("threads", "batch"):
        info = plots.scaling_info(
            Scaling("", *[curve("threads", [made(1.0)], 1), Curve("batch")] * 2), dimension
        )  # type: ignore[arg-type]
        plots.scaling_figure(info)


def test_the_words() -> None:
    threads, batch = plots.scaling_texts(FOUND)
    assert threads == (
        "2 threads: speed-up 1.64× (1.61–1.67×) of an ideal 2×; serial share 22 % ± 1 %."
    )
    assert (
        batch
        == "Batch 8: 13,333 /s, 3.33× the throughput of single items (3.32–3.35×); a call takes"
        " 0.20 ms and an item takes 50.0 µs, so the maximum is 20,000 /s."
    )


def test_no_gain_is_called_so() -> None:
    same = curve("threads", [made(1.0, 0.05), made(0.99, 0.05, threads=2)], 1)
    assert plots.threads_text(same).endswith("; more threads have no effect here.")
    slower = curve("threads", [made(1.0, 0.05), made(1.5, 0.05, threads=2)], 1)
    assert plots.threads_text(slower).endswith("; more threads cost time here.")
    linear = curve("batch", [made(0.1 * n, 0.001, batch=n) for n in (1, 2, 4)], 1)
    assert plots.batch_text(linear).startswith("Batches do not increase throughput; ")
    bursting = curve(
        "batch", [made(0.1, 0.001), made(0.2, 0.001, batch=2), made(1.2, 0.01, batch=4)], 1
    )
    assert (
        plots.batch_text(bursting)
        == "Batches do not increase throughput; each item of batch 4 takes 3.00× as long."
    )
    assert bursting.most_per_s is None
    assert {p.efficiency for p in bursting.points} == {None}
    perfect = curve("threads", [made(1.0, 0.01), made(0.499, 0.001, threads=2)], 1)
    assert "no measurable serial share" in plots.threads_text(perfect)


def test_what_could_not_be_measured_says_why() -> None:
    refused = curve(
        "batch", [made(1.0), made(0, error="This file takes no batch of 2.", batch=2)], 1
    )
    assert (
        plots.batch_text(refused) == "Batch 2 could not be measured: This file takes no batch of 2."
    )
    rows = plots.scaling_rows(
        Scaling("int8", Curve("threads"), refused, Curve("threads"), Curve("batch"))
    )
    assert [(r["Setting"], r["Remarks"]) for r in rows] == [
        ("batch 1", ""),
        ("batch 2", "This file takes no batch of 2."),
    ]


def test_a_point_that_was_disturbed_says_so() -> None:
    quiet = made(1.0)
    latency = replace(quiet.measurements["latency_s"], flags=("contended",))
    disturbed = curve("threads", [replace(quiet, measurements={"latency_s": latency})], 1)
    (row,) = plots.scaling_rows(
        Scaling("int8", disturbed, Curve("batch"), Curve("threads"), Curve("batch"))
    )
    assert row["Remarks"] == "measured while other work was running"


def test_the_table_has_the_numbers() -> None:
    row = plots.scaling_rows(FOUND)[1]
    assert row["Variant"] == "int8"
    assert row["Setting"] == "2 threads"
    assert row["Latency per call"] == "0.61 s (0.60–0.62 s)"
    assert row["Speed-up"] == "1.64× (1.61–1.67×)"
    assert row["Efficiency"] == "82.0 %"


def test_the_json_has_everything() -> None:
    value = json.loads(json.dumps(plots.scaling_json(FOUND)))
    assert value["threads"]["fit"]["share"] == pytest.approx(0.22)
    assert value["batch"]["most_per_s"] == pytest.approx(20_000)
    assert [p["value"] for p in value["batch"]["points"]] == [1, 2, 4, 8]
    assert value["baseline_batch"] == {"points": [], "fit": None, "most_per_s": None, "failed": []}


def test_a_line_below_what_was_measured_tells_its_costs_and_no_most() -> None:
    bent = curve(
        "batch",
        [
            made(v, v / 100, batch=n)
            for n, v in {1: 1.8e-4, 2: 2.9e-4, 8: 1.03e-3, 16: 2.9e-3}.items()
        ],
        1,
    )
    text = plots.batch_text(bent)
    assert "a call takes" in text or "an item" in text
    assert "most" not in text
