"""ONNX operators fused ahead of time, as ONNX Runtime fuses them when it loads a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.options import Option
from lab.plugs import Context, Technique

_OF_THIS_CPU = (
    "this kind of CPU: the tensors are laid out in blocks as wide as its vector registers"
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
        "Writes the graph as ONNX Runtime's optimizer leaves it: neighbouring operators become one,"
        " constants are computed once. ONNX Runtime does the same each time it loads a file, so"
        " loading gets faster and running does not."
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
                "Which fusions: basic writes standard operators that every runtime reads, extended"
                " also ONNX Runtime's own, all also lays tensors out for this kind of CPU, so that"
                " the file fits no other."
            ),
            sweep={"full": ("basic", "extended", "all")},
        ),
    ),
    requires=("onnx", "onnxruntime"),
    presets=("standard", "full"),
    typical_s=0.3,
)
