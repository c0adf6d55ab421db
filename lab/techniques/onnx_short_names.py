"""ONNX files without long names."""

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
        "Gives operators and inner tensors names of a letter or two and drops comments; names of"
        " inputs and outputs stay. No number changes. In a small quantized model, names take as"
        " much of the file as weights do. Best as the last step: what it names can no longer be"
        " told by name."
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
