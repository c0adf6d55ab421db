"""Data sets as the tests of one run share them: each is made once, since some take a minute."""

from __future__ import annotations

from functools import cache

from lab import registry
from lab.plugs import Array, Splits


@cache
def splits(id_: str) -> Splits:
    """Calibration and test items."""
    return registry.dataset(id_).load()


@cache
def training(id_: str) -> tuple[Array, Array]:
    """The training set."""
    make = registry.dataset(id_).training
    assert make is not None
    return make()
