"""Metrics of memory, by hand."""

from __future__ import annotations

import numpy as np

from lab import registry


def test_the_activation_peak_is_an_estimate() -> None:
    found = registry.metric("activation_peak_bytes").compute(live_bytes=np.array([3, 8, 5]))
    assert found is not None
    assert (found.value, found.unit, found.source, found.low) == (8.0, "B", "estimated", None)


def test_the_arena_is_the_middle_of_what_processes_saw() -> None:
    found = registry.metric("arena_bytes").compute(arena=np.array([64.0, 128.0, 64.0]))
    assert found is not None
    assert (found.value, found.n, found.low, found.high, found.source) == (
        64.0,
        3,
        64.0,
        128.0,
        "measured",
    )


def test_sparsity_is_zeros_over_weights_and_nothing_without_weights() -> None:
    metric = registry.metric("weight_sparsity")
    found = metric.compute(weight_zeros=np.array([30, 120]))
    assert found is not None
    assert (found.value, found.n, found.low, found.source) == (0.25, 120, None, "measured")
    assert metric.compute(weight_zeros=np.array([0, 0])) is None
