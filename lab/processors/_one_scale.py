"""Weights with a scale for each channel, given one scale for the whole tensor."""

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
        scale: float32, one or one a channel.
        zero: one or one a channel, in the stored type.
    """

    stored: Array
    scale: Array
    zero: Array


def one_scale(weights: Weights, axis: int) -> Weights:
    """The same real weights, rounded to one scale, within the integers that are in use already.

    A zero point that all channels share stays; otherwise the one that lays the real weights' range
    over the integers.

    Args:
        axis: of the channels.
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
    """The integer that stands for 0 where bottom … top lies over low … high."""
    share = -bottom / (top - bottom) if top > bottom else 0.0
    return round(low + share * (high - low))


def rescaled_bias(bias: Array, before: Array, after: Array) -> Array:
    """Bias integers for another scale of the weights; the scale of the activations that they share
    stays.

    Args:
        bias: int32 or int64, one an output channel.
        before: scales of the weights, one a channel.
        after: the one scale that replaces them.
    """
    limits = np.iinfo(bias.dtype)
    moved = np.rint(bias.astype(np.float64) * before.astype(np.float64) / float(after))
    return np.clip(moved, limits.min, limits.max).astype(bias.dtype)


def fact(name: str, type: str, weights: Weights, axis: int) -> Fact:
    """What one scale costs a tensor: how much coarser the channel with the smallest weights is
    stored.
    """
    used = np.moveaxis(weights.stored, axis, 0).reshape(weights.scale.size, -1).any(axis=1)
    scales = weights.scale[used] if used.any() else weights.scale
    text = (
        f"{weights.scale.size} scales become one, {float(scales.max() / scales.min()):.3g} times as"
        " coarse as the finest"
    )
    return Fact(text, name, type, weights.scale.size, weights.scale.size)


def because(facts: Sequence[Fact]) -> str:
    """ "312 scales of 10 weight tensors become one each"."""
    scales, tensors = sum(fact.count for fact in facts), len(facts)
    return (
        f"{scales:,} scales of {tensors} weight"
        f" {'tensor becomes' if tensors == 1 else 'tensors become'} one each"
    )
