"""Keras models: .keras archives and older HDF5 files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.plugs import Array, Format
from lab.types import Layer


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the archive or HDF5 file holds an architecture with weights.

    Raises:
        InvalidFile: it is HDF5, but damaged or without an architecture.
    """
    from lab.formats.archives import member_names
    from lab.formats.keras.hdf5 import SIGNATURE, check_architecture

    if head.startswith(SIGNATURE):
        check_architecture(path)
        return True
    return {"config.json", "model.weights.h5"} <= member_names(path, head)


def _layers(path: Path) -> Sequence[Layer]:
    from lab.formats.keras.layers import layers

    return layers(path)


def _synthesise(path: Path, n: int, rng: Any, low: float, high: float) -> Array:
    from lab.formats.keras.synthesis import synthesise

    return synthesise(path, n, rng, low, high)


FORMAT = Format(
    id="keras",
    title="Keras",
    help="A Keras model: architecture and weights, in a .keras archive or an HDF5 file.",
    suffixes=(".keras", ".h5"),
    packages=("keras", "tensorflow"),
    recognises=_recognises,
    source=True,
    frameworks=("keras", "keras 3"),
    layers=_layers,
    synthesise=_synthesise,
)
