"""Dynamic quantization of TFLite files to int8 weights; activations are quantized at run time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import OPERATORS, PER_CHANNEL, algorithm, is_sensible, suffixes
from lab.compress.tflite.quantize import weights
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return weights(source, params, context, 8, "dynamic")


TECHNIQUE = Technique(
    id="tflite_dynamic_wi8_afp32",
    title="Dynamic int8",
    help=(
        "Stores weights as 8-bit integers and quantizes each activation at run time. It needs no"
        " calibration data, and the arithmetic is done in integers."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("dynamic_wi8_afp32", suffixes(params)),
    options=(
        PER_CHANNEL,
        algorithm("octav", "mse", "hadamard", "hadamard_builtin"),
        *LAYERS,
        OPERATORS,
    ),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    valid=is_sensible,
    extra={"full": ({"algorithm": "octav"},)},
    version=2,
    typical_s=0.1,
    purposes={"embeddings": ""},
)
