"""Weight-only quantization of TFLite files to int8, with float arithmetic."""

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
    return weights(source, params, context, 8, "weight_only")


TECHNIQUE = Technique(
    id="tflite_weight_only_wi8",
    title="Weights in 8 bits",
    help=(
        "Stores weights as 8-bit integers and converts them back to floats before computing. The"
        " file becomes smaller and activations stay exact, but it is rarely faster."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("weight_only_wi8_afp32", suffixes(params)),
    options=(PER_CHANNEL, SYMMETRIC, algorithm("octav", "mse"), *LAYERS, OPERATORS),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    valid=is_sensible,
    extra={"full": ({"symmetric": False}, {"algorithm": "octav"})},
    typical_s=0.1,
    purposes={"integer_weights": ""},
)
