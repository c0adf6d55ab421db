"""ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.evidence import Anatomy
from lab.plugs import Format, Loading
from lab.types import Layer


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the file parses as a model; its first byte must be a field of ModelProto."""
    from lab.formats.onnx.files import load_onnx, may_begin

    if not may_begin(head):
        return False
    try:
        load_onnx(path)
    except InvalidFile:
        return False
    return True


def _inspect(path: Path) -> Mapping[str, Any]:
    from lab.formats.onnx.inspect import inspect

    return inspect(path)


def _anatomy(path: Path) -> Anatomy:
    from lab.formats.onnx.anatomy import anatomy

    return anatomy(path)


def _layers(path: Path) -> Sequence[Layer]:
    from lab.formats.onnx.layers import layers

    return layers(path)


def _loading() -> Loading:
    from lab.formats.onnx.loading import LOADING

    return LOADING


FORMAT = Format(
    id="onnx",
    title="ONNX",
    help="An ONNX model: one protobuf file with graph and weights.",
    suffixes=(".onnx",),
    packages=("onnx",),
    recognises=_recognises,
    source=True,
    frameworks=("onnx",),
    compact=False,
    inspect=_inspect,
    anatomy=_anatomy,
    layers=_layers,
    loading=_loading,
)
