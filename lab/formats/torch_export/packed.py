"""Packed weights: what torch's engines make of a quantized weight and its bias when they load
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def packed_tensors(packed: Any) -> list[Any]:
    """The weight as a quantized tensor and the bias as a float one, or what else a packed object
    stores of numbers.
    """
    return [t for t in _tensors(packed.__getstate__()) if t.is_quantized or t.is_floating_point()]


def _tensors(state: Any) -> Iterator[Any]:
    import torch

    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, torch.ScriptObject):
        yield from _tensors(state.__getstate__())
    elif isinstance(state, list | tuple):
        for part in state:
            yield from _tensors(part)


def content(packed: Any) -> tuple[Any, ...]:
    """Return the content by which two packed objects are equal: either could replace the other."""
    return tuple((t.shape, *_bytes(t)) for t in packed_tensors(packed))


def _bytes(tensor: Any) -> Iterator[bytes]:
    if not tensor.is_quantized:
        yield tensor.detach().numpy().tobytes()
    elif is_per_channel(tensor):
        yield from (
            t.numpy().tobytes()
            for t in (
                tensor.int_repr(),
                tensor.q_per_channel_scales(),
                tensor.q_per_channel_zero_points(),
            )
        )
    else:
        yield from (
            tensor.int_repr().numpy().tobytes(),
            repr((tensor.q_scale(), tensor.q_zero_point())).encode(),
        )


def is_per_channel(weight: Any) -> bool:
    """Return whether a quantized tensor has a scale for each channel."""
    return "per_channel" in str(weight.qscheme())
