"""TorchScript files, as the lab writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.evidence import Anatomy
from lab.plugs import Format, Loading


def _recognises(path: Path, head: bytes) -> bool:
    """Return whether the archive holds TorchScript code."""
    from lab.formats.archives import member_names

    names = member_names(path, head)
    return any(name.endswith("/constants.pkl") for name in names) and any(
        "/code/" in name for name in names
    )


def _inspect(path: Path) -> Mapping[str, Any]:
    from lab.formats.torchscript.inspect import inspect

    return inspect(path)


def _anatomy(path: Path) -> Anatomy:
    from lab.formats.torchscript.anatomy import anatomy

    return anatomy(path)


def _loading() -> Loading:
    from lab.formats.torchscript.loading import LOADING

    return LOADING


FORMAT = Format(
    id="torchscript",
    title="TorchScript",
    help=(
        "A TorchScript file: an archive with code and pickled tensors. The lab writes such files"
        " but never takes them in."
    ),
    suffixes=(".pt",),
    packages=("torch",),
    recognises=_recognises,
    inspect=_inspect,
    anatomy=_anatomy,
    loading=_loading,
)
