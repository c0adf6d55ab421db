"""Synthetic calibration items, made in a process of its own so that the caller loads no framework:
`python -m lab.engine.distilling MODEL FORMAT N SEED LOW HIGH OUT.npy`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab import registry
from lab.errors import InvalidFile, LabError
from lab.lazy import np
from lab.plugs import Array

MOST = 32
"""Items that are made at most: as many as in the paper (see `lab.formats.synthesis`); each takes a
forward and a backward pass a step.
"""


def distilled(path: Path, format_: str, n: int, seed: int, low: float, high: float) -> Array:
    """Return inputs as the model takes them, shape (n, *input) with n at most MOST, float32 within
    low … high.

    Raises:
        InvalidFile: the format has no gradients, or the model no batch normalisation.
    """
    reader = registry.formats().get(format_)
    if reader is None or reader.synthesise is None:
        raise InvalidFile(
            "Batch normalisations are folded away in this format",
            allowed="a Keras or PyTorch model with batch normalisations",
            given=format_,
        )
    return reader.synthesise(path, min(n, MOST), np.random.default_rng(seed), low, high)


if __name__ == "__main__":
    model, kind, count, seed_, low_, high_, target = sys.argv[1:]
    try:
        items = distilled(Path(model), kind, int(count), int(seed_), float(low_), float(high_))
        np.save(target, items)
    except LabError as problem:
        sys.exit(str(problem))
