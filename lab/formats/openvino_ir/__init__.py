"""OpenVINO models: graph and weights in one archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy
from lab.plugs import Format, Loading
from lab.types import Layer


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the archive holds a graph and its weights."""
    from lab.formats.archives import member_names
    from lab.formats.openvino_ir.files import GRAPH, WEIGHTS

    return {GRAPH, WEIGHTS} <= member_names(path, head)


def _inspect(path: Path) -> Mapping[str, Any]:
    from lab.formats.openvino_ir.inspect import inspect

    return inspect(path)


def _anatomy(path: Path) -> Anatomy:
    from lab.formats.openvino_ir.anatomy import anatomy

    return anatomy(path)


def _layers(path: Path) -> Sequence[Layer]:
    from lab.formats.openvino_ir.layers import layers

    return layers(path)


def _loading() -> Loading:
    from lab.formats.openvino_ir.loading import LOADING

    return LOADING


def _parts(path: Path) -> dict[str, bytes]:
    from lab.formats.openvino_ir.files import parts

    return parts(path)


FORMAT = Format(
    id="openvino_ir",
    title="OpenVINO",
    help="An OpenVINO model: graph (.xml) and weights (.bin), which the lab keeps as one archive.",
    suffixes=(".zip",),
    packages=("openvino",),
    recognises=_recognises,
    compact=False,
    inspect=_inspect,
    anatomy=_anatomy,
    layers=_layers,
    loading=_loading,
    parts=_parts,
)
