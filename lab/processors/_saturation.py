"""Saturating sums of products as computed by VPMADDUBSW, which adds two neighbouring products of
uint8 and int8 in 16 bits and clips.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, PMADDUBSW;
onnxruntime's core/mlas/lib/amd64: its kernels for AVX2 and for AVX-512 without VNNI pair terms 0
and 1, 2 and 3, … of each sum, and widen to 32 bits after that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.lazy import np
from lab.plugs import Array

HIGH, LOW = 32767, -32768
_LEAST = 129
"""Smallest sum of two weights that can saturate: 255 · 129 exceeds 16 bits, 255 · 128 does not."""


def pair_sums(weights: Array) -> Array:
    """Return w₀ + w₁ of each pair of neighbouring terms: int16 (outputs, ceil(terms / 2)); an odd
    last term is paired with 0.

    Args:
        weights: int8 (outputs, terms).
    """
    even = np.pad(weights.astype(np.int16), ((0, 0), (0, weights.shape[1] % 2)))
    sums: Array = even[:, 0::2] + even[:, 1::2]
    return sums


def can_saturate(weights: Array) -> Array:
    """Return a mask of the pairs that can exceed 16 bits for some uint8 activations: bool (outputs,
    ceil(terms / 2)).

    Weights of opposite sign cancel, so the sum of the weights is sufficient: 255 · (w₀ + w₁) >
    32767 or < −32768.
    """
    risky: Array = np.abs(pair_sums(weights)) >= _LEAST
    return risky


@dataclass(frozen=True)
class Risk:
    """Two neighbouring terms whose weights of one sign can saturate for some outputs.

    Attributes:
        pair: its terms are 2 · pair and 2 · pair + 1.
        outputs: indices of those outputs.
        w0, w1: magnitudes of their weights, int32.
    """

    pair: int
    sign: int
    outputs: Array
    w0: Array
    w1: Array


def risks(weights: Array) -> list[Risk]:
    """Return all pairs of an operator that can saturate, by pair and sign."""
    risky, sums = can_saturate(weights), pair_sums(weights)
    pairs = []
    for pair in np.flatnonzero(risky.any(axis=0)).tolist():
        for sign in (1, -1):
            outputs = np.flatnonzero(risky[:, pair] & (sign * sums[:, pair] > 0))
            if len(outputs):
                w0, w1 = np.abs(weights[outputs, 2 * pair : 2 * pair + 2].astype(np.int32)).T
                pairs.append(Risk(pair, sign, outputs, w0, w1))
    return pairs


def overflow(
    found: Sequence[Risk], term: Callable[[int], Array], outputs: int, items: int
) -> Array:
    """Compute the overflow that clipping removes from each sum; the kernel computes exact sum −
    overflow.

    Args:
        term: index of a term -> its activations, uint8 (items,).

    Returns:
        int32 (outputs, items).
    """
    lost = np.zeros((outputs, items), dtype=np.int32)
    last, x0, x1 = -1, np.empty(0, np.uint16), np.empty(0, np.uint16)
    for risk in found:
        if risk.pair != last:
            last, x0, x1 = risk.pair, *(term(2 * risk.pair + i).astype(np.uint16) for i in (0, 1))
        _add_lost(lost, risk, x0, x1)
    return lost


def _add_lost(lost: Array, risk: Risk, x0: Array, x1: Array) -> None:
    """Add the overflow of one pair for the items where the largest weights could reach the limit.

    255 · 256 fits unsigned 16 bits, so the search, which is most of the work, runs in uint16.
    """
    limit = HIGH if risk.sign > 0 else -LOW
    hits = np.flatnonzero(x0 * np.uint16(risk.w0.max()) + x1 * np.uint16(risk.w1.max()) > limit)
    if len(hits):
        sums = np.outer(risk.w0, x0[hits].astype(np.int32)) + np.outer(
            risk.w1, x1[hits].astype(np.int32)
        )
        lost[np.ix_(risk.outputs, hits)] += risk.sign * np.maximum(sums - limit, 0)
