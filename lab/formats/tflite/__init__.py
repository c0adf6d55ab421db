"""TFLite files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy
from lab.plugs import Format, Loading
from lab.types import Layer


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the flatbuffer's identifier is TFLite's.

    Raises:
        InvalidFile: it is, but the rest cannot be read.
    """
    from lab.formats.tflite.files import MAGIC, load_tflite

    if head[4:8] != MAGIC:
        return False
    load_tflite(path)
    return True


def _inspect(path: Path) -> Mapping[str, Any]:
    from lab.formats.tflite.inspect import inspect

    return inspect(path)


def _anatomy(path: Path) -> Anatomy:
    from lab.formats.tflite.anatomy import anatomy

    return anatomy(path)


def _layers(path: Path) -> Sequence[Layer]:
    from lab.formats.tflite.layers import layers

    return layers(path)


def _loading() -> Loading:
    from lab.formats.tflite.loading import LOADING

    return LOADING


FORMAT = Format(
    id="tflite",
    title="TFLite",
    help="A TensorFlow Lite model: one flatbuffer that runtimes map into memory.",
    suffixes=(".tflite",),
    packages=("ai-edge-litert",),
    recognises=_recognises,
    source=True,
    frameworks=("tflite",),
    inspect=_inspect,
    anatomy=_anatomy,
    layers=_layers,
    loading=_loading,
)
