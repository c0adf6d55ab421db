"""PyTorch programs that torch.export.save wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy
from lab.plugs import Array, Format, Loading
from lab.types import Layer


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the archive holds an exported program."""
    from lab.formats.archives import member_names

    ends = ("/models/model.json", "serialized_exported_program.json")
    return any(name.endswith(ends) for name in member_names(path, head))


def _inspect(path: Path) -> Mapping[str, Any]:
    from lab.formats.torch_export.inspect import inspect

    return inspect(path)


def _anatomy(path: Path) -> Anatomy:
    from lab.formats.torch_export.anatomy import anatomy

    return anatomy(path)


def _layers(path: Path) -> Sequence[Layer]:
    from lab.formats.torch_export.layers import layers

    return layers(path)


def _loading() -> Loading:
    from lab.formats.torch_export.loading import LOADING

    return LOADING


def _synthesise(path: Path, n: int, rng: Any, low: float, high: float) -> Array:
    from lab.formats.torch_export.synthesis import synthesise

    return synthesise(path, n, rng, low, high)


FORMAT = Format(
    id="torch_export",
    title="PyTorch",
    help="An exported PyTorch program (.pt2): graph and weights without the code of its classes.",
    suffixes=(".pt2",),
    packages=("torch",),
    recognises=_recognises,
    source=True,
    frameworks=("torch", "torch_export", "pytorch"),
    inspect=_inspect,
    anatomy=_anatomy,
    layers=_layers,
    loading=_loading,
    synthesise=_synthesise,
)
