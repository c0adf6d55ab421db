"""Shortening of the names in ONNX files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    import onnx

    from lab.compress.onnx.names import shorten
    from lab.formats.onnx.files import load_onnx

    model = load_onnx(source)
    before = model.ByteSize()
    shorten(model)
    context.note("bytes of names and comments", before - model.ByteSize())
    target = context.workdir / "model.onnx"
    onnx.save(model, str(target))
    return target


TECHNIQUE = Technique(
    id="onnx_short_names",
    title="Short names",
    help=(
        "Renames operators and inner tensors to one or two letters and removes comments; inputs and"
        " outputs keep their names. Weights are not changed. In a small quantized model, names take"
        " as much space as weights. Use it as the last step, because later steps can no longer"
        " select layers by their names."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=lambda params: "short_names",
    requires=("onnx",),
    presets=("full",),
    typical_s=0.1,
    purposes={"short_names": ""},
)
