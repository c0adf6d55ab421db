"""Several trials against one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import false_discovery_control

import lab
from lab.analysis.deltas import corrected, deltas
from lab.analysis.differences import difference
from tests import fakes


@pytest.fixture
def four(tmp_path: Path) -> list:
    made = [
        fakes.trial("float32", 0.96, 300e3, 5.0e-4, baseline=True, spread=(0.01, 1e-5)),
        fakes.trial("int8", 0.90, 100e3, 2.5e-4, position=1, spread=(0.01, 1e-5)),
        fakes.trial("int4", 0.95, 60e3, 5.02e-4, position=2, spread=(0.01, 1e-5)),
        fakes.trial("same", 0.96, 300e3, 5.0e-4, position=3, spread=(0.01, 1e-5)),
    ]
    return fakes.with_evidence(made, tmp_path)


def test_p_values_are_corrected_for_the_number_of_trials(four):
    reference, *others = four
    found = corrected(reference, others, ["latency_s", "size_bytes"])
    plain = [difference("latency_s", t, reference).p for t in others]
    mine = [found[t.id]["latency_s"].adjusted for t in others]
    assert mine == pytest.approx(list(false_discovery_control(plain)))
    assert all("size_bytes" not in found[t.id] for t in others)


def test_shares_are_told_in_points_and_times_and_sizes_as_ratios(four):
    found = {(d.trial, d.metric): d for d in deltas(four[0], four[1:], fakes.METRICS)}
    size = found[four[1].id, "size_bytes"]
    assert (size.kind, size.value, size.low, size.differs, size.better) == (
        "ratio",
        pytest.approx(1 / 3),
        None,
        True,
        True,
    )
    latency = found[four[1].id, "latency_s"]
    assert latency.kind == "ratio"
    assert latency.low < latency.value < latency.high < 1
    assert latency.differs
    right = difference("top1_accuracy", four[1], four[0])
    accuracy = found[four[1].id, "top1_accuracy"]
    assert (accuracy.kind, accuracy.value, accuracy.better) == ("change", right.value, False)
    assert "agreement" not in {metric for _, metric in found}  # compares with float already


def test_equal_numbers_do_not_differ_and_are_no_better(four):
    found = {d.metric: d for d in deltas(four[0], four[3:], fakes.METRICS)}
    assert (found["size_bytes"].differs, found["size_bytes"].better, found["size_bytes"].value) == (
        False,
        None,
        1,
    )


def test_without_pairs_intervals_decide_and_none_is_claimed(four):
    found = {d.metric: d for d in deltas(four[0], four[1:2], fakes.METRICS)}
    assert (found["peak_rss_bytes"].low, found["peak_rss_bytes"].differs) == (None, True)
    assert (found["cold_load_s"].low, found["cold_load_s"].differs) == (None, False)


def test_what_is_no_ratio_is_left_out(four):
    broken = replace(
        four[1],
        measurements={**four[1].measurements, "size_bytes": fakes.measured("size_bytes", 0.0)},
    )
    assert "size_bytes" not in {d.metric for d in deltas(four[0], [broken], fakes.METRICS)}


def test_items_a_second_are_judged_as_the_latency_that_they_mirror(four):
    def with_throughput(t, batch=1):
        rate = replace(
            t.measurements["latency_s"],
            metric="throughput_per_s",
            value=1 / t.measurements["latency_s"].value,
            unit="1/s",
        )
        return replace(
            t,
            measurements={**t.measurements, "throughput_per_s": rate},
            target=replace(t.target, options={"threads": 1, "batch": batch}),
        )

    metrics = {id_: lab.available_metrics()[id_] for id_ in ("latency_s", "throughput_per_s")}
    found = {
        d.metric: d for d in deltas(with_throughput(four[0]), [with_throughput(four[1])], metrics)
    }
    slow, quick = found["latency_s"], found["throughput_per_s"]
    assert (quick.value, quick.low, quick.high) == pytest.approx(
        (1 / slow.value, 1 / slow.high, 1 / slow.low)
    )
    assert (quick.differs, quick.better) == (slow.differs, slow.better)
    found = {
        d.metric: d
        for d in deltas(with_throughput(four[0]), [with_throughput(four[1], 8)], metrics)
    }
    assert found["throughput_per_s"].low is None
