"""Conversion of TFLite weights to 16-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import OPERATORS, suffixes
from lab.compress.tflite.quantize import half
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return half(source, params, context)


TECHNIQUE = Technique(
    id="tflite_fp16",
    title="16-bit float",
    help=(
        "Stores weights as 16-bit floats, which halves the size. They are cast back to 32 bits when"
        " the file is loaded, so the arithmetic stays in 32-bit float."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("fp16", suffixes(params)),
    options=(*LAYERS, OPERATORS),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    typical_s=0.1,
)
