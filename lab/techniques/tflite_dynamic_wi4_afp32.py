"""Dynamic quantization of TFLite files to int4 weights; activations are quantized to 8 bits at run
time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import (
    BLOCK_SIZE,
    OPERATORS,
    PER_CHANNEL,
    algorithm,
    is_sensible,
    suffixes,
)
from lab.compress.tflite.quantize import weights
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return weights(source, params, context, 4, "dynamic")


TECHNIQUE = Technique(
    id="tflite_dynamic_wi4_afp32",
    title="Dynamic int4",
    help=(
        "Stores weights as 4-bit integers, an eighth of the size, and quantizes each activation to"
        " 8 bits at run time. The arithmetic is done in integers."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("dynamic_wi4_afp32", suffixes(params)),
    options=(
        PER_CHANNEL,
        BLOCK_SIZE,
        algorithm("octav", "mse", "hadamard", "hadamard_builtin"),
        *LAYERS,
        OPERATORS,
    ),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    presets=("full",),
    valid=is_sensible,
    extra={
        "full": (
            {"block_size": "32"},
            {"block_size": "128"},
            {"algorithm": "octav"},
            {"algorithm": "hadamard"},
        )
    },
    typical_s=0.1,
)
