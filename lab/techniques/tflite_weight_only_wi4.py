"""Weight-only quantization of TFLite files to int4, with float arithmetic."""

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
    return weights(source, params, context, 4, "weight_only")


TECHNIQUE = Technique(
    id="tflite_weight_only_wi4",
    title="Weights in 4 bits",
    help=(
        "Stores weights as 4-bit integers, an eighth of the size, and converts them back to floats"
        " before computing. Coarse weights cost accuracy, and unpacking takes time."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("weight_only_wi4_afp32", suffixes(params)),
    options=(PER_CHANNEL, SYMMETRIC, algorithm("octav", "mse"), *LAYERS, OPERATORS),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    valid=is_sensible,
    extra={"full": ({"symmetric": False}, {"algorithm": "octav"}, {"algorithm": "mse"})},
    typical_s=0.1,
    purposes={"embeddings": ""},
)
