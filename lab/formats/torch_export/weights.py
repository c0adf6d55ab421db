"""Types, elements and bytes of torch's stored tensors."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.formats.stored_weights import Stored, floats, integers
from lab.formats.torch_export.packed import is_per_channel
from lab.lazy import np

_SCALE_BYTES = 16
"""Of a channel: its scale in 64-bit floats and its zero point in 64-bit integers."""


def stored(tensor: Any) -> Stored:
    """Counts a tensor's numbers."""
    import torch

    tensor = tensor.detach()
    if tensor.is_quantized:
        values = tensor.int_repr().numpy()
        return integers(
            values,
            values.nbytes,
            str(values.dtype),
            8 * values.itemsize,
            values.dtype.kind == "i",
            _zero(tensor),
        )
    size, dtype = tensor.numel() * tensor.element_size(), str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype in (torch.bfloat16, torch.float16):
        return floats(tensor.contiguous().view(torch.int16).numpy().view(np.uint16), size, dtype)
    if tensor.is_floating_point():
        return floats(tensor.numpy(), size, dtype)
    return integers(tensor.numpy(), size, dtype, 8 * tensor.element_size(), dtype.startswith("int"))


def _zero(tensor: Any) -> Any:
    if not is_per_channel(tensor):
        return int(tensor.q_zero_point())
    shape = [-1 if axis == tensor.q_per_channel_axis() else 1 for axis in range(tensor.dim())]
    return tensor.q_per_channel_zero_points().numpy().reshape(shape)


def scale_bytes(tensors: Iterable[Any]) -> int:
    """Bytes of the scales and zero points of tensors that are quantized per channel."""
    return sum(
        _SCALE_BYTES * len(t.q_per_channel_scales())
        for t in tensors
        if t.is_quantized and is_per_channel(t)
    )


def payload(path: Path, members: str) -> int:
    """Bytes of the archive's uncompressed members whose names match a pattern."""
    with zipfile.ZipFile(path) as archive:
        return sum(
            i.file_size
            for i in archive.infolist()
            if not i.compress_type and re.search(members, i.filename)
        )
