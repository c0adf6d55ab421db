"""Metrics against their formulas, on made-up evidence."""

import zlib
from typing import Any

import numpy as np
import pytest
import zstandard
from scipy.stats import binomtest

from lab import registry
from lab.plugs import EVIDENCE
from lab.types import Measurement

OUTPUTS = np.array([[3, 1, 0], [0, 2, 1], [0, 1, 5], [9, 0, 0]], dtype="float32")
BASELINE = np.array([[3, 1, 0], [5, 2, 1], [0, 1, 5], [9, 0, 0]], dtype="float32")
LABELS = np.array([0, 1, 1, 0])
FILE = np.frombuffer(bytes(range(256)) * 40, dtype=np.uint8)
LATENCY = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])]


def compute(id_: str, **evidence: Any) -> Measurement:
    found = registry.metric(id_).compute(**evidence)
    assert found is not None
    return found


def test_top1_accuracy() -> None:
    found, expected = (
        compute("top1_accuracy", outputs=OUTPUTS, labels=LABELS),
        binomtest(3, 4).proportion_ci(method="wilson"),
    )
    assert (found.value, found.n, found.unit) == (0.75, 4, "1")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_agreement_counts_equal_answers_right_or_wrong() -> None:
    found = compute("agreement", outputs=OUTPUTS, baseline_outputs=BASELINE)
    assert (found.value, found.n) == (0.75, 4)


def test_sizes_are_exact() -> None:
    found = compute("size_bytes", file=FILE)
    assert (found.value, found.unit, found.low, found.high) == (256 * 40, "B", None, None)
    assert compute("download_bytes", file=FILE).value == len(zlib.compress(FILE.tobytes(), 9))


def test_an_update_is_what_the_device_lacks() -> None:
    rng = np.random.default_rng(0)
    old = rng.integers(0, 256, 20_000).astype(np.uint8)
    new = np.concatenate([old, rng.integers(0, 256, 500).astype(np.uint8)])
    found = compute("update_bytes", file=new, baseline_file=old).value
    assert 500 <= found < 700
    known = zstandard.ZstdCompressionDict(old.tobytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    packed = zstandard.ZstdCompressor(level=12, dict_data=known).compress(new.tobytes())
    assert zstandard.ZstdDecompressor(dict_data=known).decompress(packed) == new.tobytes()
    assert found == len(packed)


@pytest.mark.parametrize("batch", [1, 8])
def test_throughput_is_the_batch_over_the_latency(batch: int) -> None:
    rng = np.random.default_rng(0)
    rounds = [rng.uniform(0.9, 1.1, 20) * rng.uniform(0.9, 1.1) for _ in range(10)]
    found, latency = (
        compute("throughput_per_s", latency=rounds, batch=batch),
        compute("latency_s", latency=rounds),
    )
    assert (found.unit, found.n) == ("1/s", 200)
    assert found.value == pytest.approx(batch / np.median(np.concatenate(rounds)))
    assert latency.low is not None
    assert latency.high is not None
    assert (found.low, found.high) == pytest.approx((batch / latency.high, batch / latency.low))


@pytest.mark.parametrize(("id_", "quantile"), [("latency_s", 0.5), ("latency_p90_s", 0.9)])
def test_latency_is_a_quantile_of_all_runs(id_: str, quantile: float) -> None:
    found = compute(id_, latency=LATENCY)
    assert found.value == np.quantile([1, 2, 3, 2, 4, 6], quantile)
    assert found.n == 6
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("id_", "evidence"), [("cold_load_s", "cold_load"), ("peak_rss_bytes", "peak_rss")]
)
def test_cold_numbers_are_medians_with_their_range(id_: str, evidence: str) -> None:
    found = compute(id_, **{evidence: np.array([5.0, 1.0, 2.0])})
    assert (found.value, found.low, found.high, found.n) == (2.0, 1.0, 5.0, 3)


@pytest.mark.parametrize("id_", sorted(registry.metrics()))
def test_every_metric_keeps_its_promises(id_: str) -> None:
    metric = registry.metric(id_)
    given = {
        "outputs": OUTPUTS,
        "labels": LABELS,
        "baseline_outputs": BASELINE,
        "file": FILE,
        "baseline_file": FILE,
        "inputs": OUTPUTS + 1,
        "latency": LATENCY,
        "cold_load": np.array([1.0, 2.0]),
        "peak_rss": np.array([1.0, 2.0]),
        "energy": np.array([0.1, 0.2]),
        "batch": 1,
        "live_bytes": np.array([8, 16]),
        "weight_zeros": np.array([1, 4]),
        "arena": np.array([64.0]),
    }
    assert set(metric.needs) <= set(EVIDENCE) == set(given)
    assert metric.title
    assert metric.help.endswith(".")
    found = metric.compute(**{name: given[name] for name in metric.needs})
    if found is None:  # top 5 of three classes, 99 in 100 of six runs
        assert id_ in ("top5_accuracy", "latency_p99_s")
        return
    assert (found.metric, found.unit) == (metric.id, metric.unit)
    assert np.isfinite(found.value)
    assert Measurement.from_json(metric.id, found.to_json()) == found
