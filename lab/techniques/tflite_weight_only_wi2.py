"""Weight-only quantization of TFLite files to int2, with float arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import (
    OPERATORS,
    PER_CHANNEL,
    SYMMETRIC,
    algorithm,
    is_sensible,
    suffixes,
)
from lab.compress.tflite.quantize import weights
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return weights(source, params, context, 2, "weight_only")


TECHNIQUE = Technique(
    id="tflite_weight_only_wi2",
    title="Weights in 2 bits",
    help=(
        "Stores weights as 2-bit integers, a sixteenth of the size, and converts them back to"
        " floats before computing. Each weight has only three or four possible values; most models"
        " need retraining to survive it."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("weight_only_wi2_afp32", suffixes(params)),
    options=(PER_CHANNEL, SYMMETRIC, algorithm("octav"), *LAYERS, OPERATORS),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    presets=("full",),
    valid=is_sensible,
    extra={"full": ({"symmetric": False}, {"algorithm": "octav"})},
    typical_s=0.1,
)
