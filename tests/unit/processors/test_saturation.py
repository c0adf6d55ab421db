"""Saturating sums of pairs against the instruction itself, and against a loop that spells it
out.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.processors._saturation import can_saturate, overflow, risks

VPMADDUBSW = r"""
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
// reads rows, columns, terms (a multiple of 32), then uint8 rows x terms and int8 columns x terms; writes int32 sums
int main(void) {
    int32_t size[3];
    if (fread(size, 4, 3, stdin) != 3) return 1;
    static uint8_t x[1 << 20]; static int8_t w[1 << 20];
    if (fread(x, size[2], size[0], stdin) != (size_t)size[0] || fread(w, size[2], size[1], stdin) != (size_t)size[1]) return 2;
    for (int o = 0; o < size[1]; o++) for (int i = 0; i < size[0]; i++) {
        __m256i sum = _mm256_setzero_si256();
        for (int k = 0; k < size[2]; k += 32) {
            __m256i a = _mm256_loadu_si256((const void *)(x + i * size[2] + k));
            __m256i b = _mm256_loadu_si256((const void *)(w + o * size[2] + k));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
        }
        int32_t lanes[8], total = 0;
        memcpy(lanes, &sum, 32);
        for (int l = 0; l < 8; l++) total += lanes[l];
        fwrite(&total, 4, 1, stdout);
    }
    return 0;
}
"""


def literal(weights: Any, x: Any) -> Any:
    """Pair by pair: int64 (outputs, items) for weights (outputs, terms) and x (items, terms)."""
    sums = np.zeros((len(weights), len(x)), np.int64)
    for o, row in enumerate(weights.astype(np.int64)):
        for i, item in enumerate(x.astype(np.int64)):
            for k in range(0, len(row), 2):
                pair = sum(int(row[j]) * int(item[j]) for j in range(k, min(k + 2, len(row))))
                sums[o, i] += max(-32768, min(32767, pair))
    return sums


def emulated(weights: Any, x: Any) -> Any:
    def term(number: int) -> Any:
        return x[:, number] if number < x.shape[1] else np.zeros(len(x), np.uint8)

    lost = overflow(risks(weights), term, len(weights), len(x))
    return weights.astype(np.int64) @ x.T.astype(np.int64) - lost


def drawn(outputs: int, items: int, terms: int, seed: int) -> tuple[Any, Any]:
    """Large weights and activations, with the extremes among them."""
    rng = np.random.default_rng(seed)
    weights = rng.choice(
        np.array([-128, -127, -126, -65, -64, -1, 0, 1, 64, 65, 126, 127], np.int8),
        (outputs, terms),
    )
    x = np.where(
        rng.random((items, terms)) < 0.4, 255, rng.integers(0, 256, (items, terms))
    ).astype(np.uint8)
    return weights, x


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 21), st.integers(0, 10**6))
def test_sums_are_those_of_the_loop(outputs: int, items: int, terms: int, seed: int) -> None:
    weights, x = drawn(outputs, items, terms, seed)
    np.testing.assert_array_equal(emulated(weights, x), literal(weights, x))


@pytest.fixture(scope="module")
def instruction(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if not shutil.which("gcc") or " avx2" not in flags:
        pytest.skip("needs gcc and a CPU with AVX2")
    folder = tmp_path_factory.mktemp("instruction")
    (folder / "sums.c").write_text(VPMADDUBSW)
    subprocess.run(["gcc", "-O1", "-mavx2", "sums.c", "-o", "sums"], cwd=folder, check=True)
    return folder / "sums"


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_the_instruction(instruction: Path, seed: int) -> None:
    weights, x = drawn(40, 60, 96, seed)
    sent = (
        np.array([len(x), len(weights), x.shape[1]], np.int32).tobytes()
        + x.tobytes()
        + weights.tobytes()
    )
    answer = subprocess.run([instruction], input=sent, capture_output=True, check=True).stdout
    sums = np.frombuffer(answer, np.int32).reshape(len(weights), len(x))
    assert (sums != weights.astype(np.int64) @ x.T.astype(np.int64)).any()
    np.testing.assert_array_equal(emulated(weights, x), sums)


def test_exactly_those_pairs_can_saturate_for_which_some_activations_do() -> None:
    w0, w1 = (w.ravel() for w in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    corners = np.array([[0, 0], [0, 255], [255, 0], [255, 255]])
    sums = np.stack([w0 * a + w1 * b for a, b in corners])
    does = (sums.max(axis=0) > 32767) | (sums.min(axis=0) < -32768)
    np.testing.assert_array_equal(
        can_saturate(np.stack([w0, w1], axis=1).astype(np.int8))[:, 0], does
    )
