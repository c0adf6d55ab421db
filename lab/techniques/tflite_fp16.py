"""TFLite weights as 16-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.tflite import half
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return half(context, source)


TECHNIQUE = Technique(
    id="tflite_fp16",
    title="16-bit float",
    help=(
        "Stores weights as 16-bit floats, half the size; they are cast back to 32 bits when the file is loaded, so the "
        "arithmetic stays float."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: "fp16",
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    typical_s=0.1,
)
