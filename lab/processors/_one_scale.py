"""Requantization of per-channel weights to one scale per tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.lazy import np
from lab.plugs import Array, Fact


@dataclass(frozen=True)
class Weights:
    """Quantized weights: real = (stored − zero) · scale.

    Attributes:
        stored: integers.
        scale: float32, one per tensor or per channel.
        zero: one per tensor or per channel, in the stored type.
    """

    stored: Array
    scale: Array
    zero: Array


def one_scale(weights: Weights, axis: int) -> Weights:
    """Return the same real weights rounded to one scale, within the integer range already in use.

    A zero point shared by all channels is kept; otherwise a new one maps the range of the real
    weights to the integers.

    Args:
        axis: channel axis.
    """
    shape = [-1 if i == axis else 1 for i in range(weights.stored.ndim)]
    zeros = np.broadcast_to(weights.zero.astype(np.int64), weights.scale.shape)
    real = (weights.stored.astype(np.float64) - zeros.reshape(shape)) * weights.scale.astype(
        np.float64
    ).reshape(shape)
    bottom, top = min(float(real.min()), 0.0), max(float(real.max()), 0.0)
    low, high = int(weights.stored.min()), int(weights.stored.max())
    zero = int(zeros[0]) if len(set(zeros.tolist())) == 1 else _zero_of(low, high, bottom, top)
    low, high = min(low, zero), max(high, zero)
    needed = [
        reach / room
        for reach, room in ((top, high - zero), (-bottom, zero - low))
        if reach > 0 and room > 0
    ]
    scale = np.float32(max(needed, default=1.0))
    stored = np.clip(np.rint(real / scale) + zero, low, high).astype(weights.stored.dtype)
    return Weights(stored, np.asarray(scale), np.asarray(zero, dtype=weights.stored.dtype))


def _zero_of(low: int, high: int, bottom: float, top: float) -> int:
    """Return the integer that represents 0 if bottom … top is mapped to low … high."""
    share = -bottom / (top - bottom) if top > bottom else 0.0
    return round(low + share * (high - low))


def rescaled_bias(bias: Array, before: Array, after: Array) -> Array:
    """Return the bias integers for another weight scale; the activation scale stays.

    Args:
        bias: int32 or int64, one per output channel.
        before: weight scales, one per channel.
        after: the one scale that replaces them.
    """
    limits = np.iinfo(bias.dtype)
    moved = np.rint(bias.astype(np.float64) * before.astype(np.float64) / float(after))
    return np.clip(moved, limits.min, limits.max).astype(bias.dtype)


def fact(name: str, type: str, weights: Weights, axis: int) -> Fact:
    """Describe how much coarser the channel with the smallest weights is stored with one scale."""
    used = np.moveaxis(weights.stored, axis, 0).reshape(weights.scale.size, -1).any(axis=1)
    scales = weights.scale[used] if used.any() else weights.scale
    text = (
        f"{weights.scale.size} scales are replaced by one, {float(scales.max() / scales.min()):.3g}"
        " times as coarse as the finest"
    )
    return Fact(text, name, type, weights.scale.size, weights.scale.size)


def because(facts: Sequence[Fact]) -> str:
    """Summarize the facts, such as "10 weight tensors get one scale each instead of 312"."""
    scales, tensors = sum(fact.count for fact in facts), len(facts)
    if tensors == 1:
        return f"1 weight tensor gets one scale instead of {scales:,}"
    return f"{tensors} weight tensors get one scale each instead of {scales:,}"
