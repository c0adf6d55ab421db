"""The memory that LiteRT lays tensors out in, against what a plan by hand needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.measure.cold import cold_start
from lab.registry import runtime
from lab.runtimes._litert_arena import ALIGNMENT, covered
from tests import tiny

ITEM, PLANE = 4 * tiny.SIDE**2 * tiny.CHANNELS, 4 * tiny.SIDE**2 * tiny.FILTERS
UNROLLED = 4 * tiny.SIDE**2 * 9 * tiny.CHANNELS
"""What LiteRT's own convolution writes its input to, each patch a row, before it multiplies."""


def arena(file: Path, **options: object) -> int:
    litert = runtime("litert")
    litert.preload()
    found = cold_start(litert, options, str(file), tiny.items(1))
    assert "error" not in found, found
    assert found["mapped_bytes"]
    return int(found["arena_bytes"])


@pytest.mark.parametrize(
    ("spans", "bytes_"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (5, 20)], 20),
        ([(64, 70), (0, 10)], 70),
        ([(0, 10), (1000, 1010)], 20),
        ([(0, 100), (10, 20)], 100),
    ],
)
def test_bytes_in_spans(spans: list[tuple[int, int]], bytes_: int) -> None:
    """Gaps below the alignment are a part of the arena."""
    assert covered(spans) == bytes_


def test_its_own_kernels_lay_out_all_that_lives_at_once(tiny_tflite: Path) -> None:
    """At the convolution: input, its unrolled patches, output. The rest reuses that."""
    expected = ITEM + UNROLLED + PLANE
    assert expected <= arena(tiny_tflite, xnnpack=False) <= expected + 4 * ALIGNMENT


def test_with_xnnpack_only_the_ends_are_left(tiny_tflite: Path) -> None:
    expected = ITEM + 4 * tiny.CLASSES
    assert expected <= arena(tiny_tflite, xnnpack=True) <= expected + 2 * ALIGNMENT


def test_integers_take_a_quarter(tiny_tflite: Path, tmp_path: Path) -> None:
    small = tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path)
    assert arena(small, xnnpack=False) == pytest.approx(
        arena(tiny_tflite, xnnpack=False) / 4, abs=6 * ALIGNMENT
    )


def test_half_precision_tells_none(tiny_tflite: Path) -> None:
    from lab.runtimes.litert import HalfSession

    session = HalfSession.__new__(HalfSession)
    assert session.arena_bytes() is None
