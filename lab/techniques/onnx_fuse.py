"""Fusion of ONNX operators ahead of time, as ONNX Runtime does when it loads a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.options import Option
from lab.plugs import Context, Technique

_OF_THIS_CPU = (
    "this kind of CPU, because tensors are laid out in blocks as wide as its vector registers"
)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.onnx.fusion import fuse

    target, facts = fuse(source, params["level"], context.workdir)
    context.note("fusion", facts | ({"only_for": _OF_THIS_CPU} if params["level"] == "all" else {}))
    return target


TECHNIQUE = Technique(
    id="onnx_fuse",
    title="Fused operators",
    help=(
        "Saves the graph after ONNX Runtime's optimizations: neighbouring operators are fused,"
        " constants are computed once. ONNX Runtime does the same whenever it loads a file, so"
        " loading becomes faster and inference does not."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=lambda params: f"fused_{params['level']}",
    options=(
        Option(
            id="level",
            label="Level",
            kind="choice",
            default="extended",
            choices=("basic", "extended", "all"),
            help=(
                "Selects the fusions. The level basic uses only standard operators that every"
                " runtime supports, extended adds operators of ONNX Runtime, and all also changes"
                " the tensor layout for this kind of CPU, so that the file suits no other."
            ),
            sweep={"full": ("basic", "extended", "all")},
        ),
    ),
    requires=("onnx", "onnxruntime"),
    presets=("standard", "full"),
    typical_s=0.3,
)
