"""Calibration items as tensors that a torch.export program takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.formats.feeding import check_finite, fit_items
from lab.formats.torch_export.files import inputs_and_outputs
from lab.lazy import np
from lab.plugs import Array

BATCH = 32


def calibration_batches(x: Array, program: Any, size: int = BATCH) -> Iterator[Any]:
    """Batches of `size` items, or of as many as the program is bound to: what is left over then is
    not used.

    Args:
        x: items as the card's input takes them, shape (n, *card.input.shape).

    Raises:
        InvalidFile: the items do not fit, there are none, or some are not finite numbers.
    """
    import torch

    wanted = inputs_and_outputs(program)[0]
    x = check_finite(fit_items(np.asarray(x), wanted.shape))
    step = wanted.shape[0] or size
    for start in range(0, len(x), step):
        part = np.ascontiguousarray(x[start : start + step], dtype=wanted.dtype)
        if len(part) == step or wanted.shape[0] is None:
            yield torch.from_numpy(part)
