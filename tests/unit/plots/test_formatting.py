"""Every number that a person reads is written here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.plots import formatting
from lab.types import Measurement, Target
from tests.fakes import measured


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0.00041, "s", "0.41 ms"),
        (0.000412, "s", "0.41 ms"),
        (0.0152, "s", "15.2 ms"),
        (0.00009, "s", "90.0 µs"),
        (1.5, "s", "1.50 s"),
        (75.0, "s", "1.25 min"),
        (0.0, "s", "0 ns"),
        (0.962, "1", "96.2 %"),
        (1.0, "1", "100.0 %"),
        (98_500, "B", "98.5 kB"),
        (512, "B", "512 B"),
        (0, "B", "0 B"),
        (1_160_000, "B", "1.16 MB"),
        (2.5e9, "B", "2.50 GB"),
        (3, "items", "3.00 items"),
        (None, "s", "–"),
    ],
)
def test_value(number, unit, text):
    assert formatting.value(number, unit) == text


def test_units_in_other_spellings():
    assert formatting.value(98_500, "bytes") == "98.5 kB"
    assert formatting.value(0.5, "fraction") == "50.0 %"


def test_measurement_with_and_without_interval():
    assert (
        formatting.measurement(measured("latency_s", 0.00041, 0.00002)) == "0.41 ms (0.39–0.43 ms)"
    )
    assert formatting.measurement(measured("size_bytes", 98_500)) == "98.5 kB"
    assert formatting.measurement(None) == "–"


def test_count():
    assert [formatting.count(n) for n in (None, 950, 78_330, 12_500_000)] == [
        "–",
        "950",
        "78.3 k",
        "12.5 M",
    ]


def test_duration():
    spans = (None, 2, 44, 130, 7200)
    words = [
        "an unknown time",
        "a few seconds",
        "about 45 seconds",
        "about 2 minutes",
        "about 2.0 hours",
    ]
    assert [formatting.duration(s) for s in spans] == words


@pytest.mark.parametrize(
    ("metric", "value", "base", "text"),
    [
        ("size_bytes", 100e3, 390e3, "3.90× smaller"),
        ("size_bytes", 390e3, 100e3, "3.90× larger"),
        ("latency_s", 6e-4, 5e-4, "1.20× slower"),
        ("latency_s", 5e-4, 5e-4, "no change"),
        ("top1_accuracy", 0.956, 0.962, "0.6 points less accurate"),
        ("top1_accuracy", 0.97, 0.96, "1.0 points more accurate"),
        ("peak_rss_bytes", 0.0, 0.0, "no change"),
        ("peak_rss_bytes", 0.0, 5.0, "-5 B"),
    ],
)
def test_change(metric, value, base, text):
    assert formatting.change(measured(metric, value), measured(metric, base)) == text


@given(st.floats(1e-9, 1e4), st.sampled_from(["s", "B", "1"]))
def test_no_number_is_longer_than_a_table_cell(number, unit):
    assert len(formatting.value(number, unit)) <= 12


def test_targets():
    one, two = (
        Target("ort", {"threads": 1, "xnnpack": True}),
        Target("ort", {"threads": 2, "xnnpack": True}),
    )
    assert formatting.target_text(one) == "ONNX Runtime, 1 thread, xnnpack on"
    assert formatting.varying_options([one, two]) == ("threads",)
    assert (
        formatting.target_text(two, formatting.varying_options([one, two]))
        == "ONNX Runtime, 2 threads"
    )


def test_a_stored_target_without_an_option_means_its_default() -> None:
    old, new, batch = (
        Target("ort", {"threads": 1}),
        Target("ort", {"threads": 1, "batch": 1}),
        Target("ort", {"batch": 8}),
    )
    assert formatting.varying_options([old, new]) == ()
    assert formatting.varying_options([old, batch]) == ("batch",)
    assert formatting.target_text(batch, ("batch",)) == "ONNX Runtime, batch 8"


def test_items_a_second_have_their_thousands_set_apart() -> None:
    assert formatting.value(4312.4, "1/s") == "4,312 /s"
    assert formatting.value(23.45, "1/s") == "23.4 /s"
    assert (
        formatting.measurement(Measurement("throughput_per_s", 1e6, "1/s", 3, 9e5, 1.1e6))
        == "1,000,000 /s (900,000–1,100,000 /s)"
    )


def test_axis_scale_follows_the_middle_value():
    assert formatting.axis_scale("s", [1e-4, 5e-4, 15.0]) == (1e-3, "ms")
    assert formatting.axis_scale("s", []) == (1.0, "s")


def test_an_interval_keeps_the_unit_of_its_value():
    assert (
        formatting.interval(Measurement("latency_s", 1.2e-4, "s", 9, 0.9e-4, 1.5e-4))
        == "0.09–0.15 ms"
    )


def test_an_interval_that_goes_below_zero_is_read_without_a_second_dash() -> None:
    assert (
        formatting.interval(Measurement("accuracy_change", -0.007, "1", 2400, -0.014, 0.001))
        == "-1.4 to 0.1 %"
    )
    assert (
        formatting.interval(Measurement("kl_divergence", 0.038, "nat", 2400, 0.035, 0.041))
        == "35.0–41.0 mnat"
    )
