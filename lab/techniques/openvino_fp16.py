"""Conversion of OpenVINO weights to 16-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.openvino_ir.files import node_names, write_openvino
    from lab.formats.openvino_ir.graph import load_float_openvino

    model = load_float_openvino(source)
    return write_openvino(model, context.workdir / "model.zip", node_names(model), half=True)


TECHNIQUE = Technique(
    id="openvino_fp16",
    title="16-bit float weights",
    help=(
        "Stores weights as 16-bit floats, which halves the size. They are converted to 32 bits or"
        " to the runtime's precision when the model is loaded, so the file becomes smaller but"
        " inference does not become faster."
    ),
    accepts=("openvino_ir",),
    produces="openvino_ir",
    apply=_apply,
    name=lambda params: "fp16_weights",
    toolchain="nncf",
    requires=("openvino",),
    presets=("standard", "full"),
    typical_s=0.2,
)
