"""ExecuTorch programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy
from lab.plugs import Format, Loading


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the flatbuffer's identifier is ExecuTorch's ("ET" and a number)."""
    return head[4:6] == b"ET" and head[6:8].isdigit()


def _inspect(path: Path) -> Mapping[str, Any]:
    from lab.formats.executorch.inspect import inspect

    return inspect(path)


def _anatomy(path: Path) -> Anatomy:
    from lab.formats.executorch.anatomy import anatomy

    return anatomy(path)


def _loading() -> Loading:
    from lab.formats.executorch.loading import LOADING

    return LOADING


FORMAT = Format(
    id="executorch",
    title="ExecuTorch",
    help="An ExecuTorch program (.pte): kernels by name, and parts for delegates such as XNNPACK.",
    suffixes=(".pte",),
    packages=("executorch",),
    recognises=_recognises,
    inspect=_inspect,
    anatomy=_anatomy,
    loading=_loading,
)
