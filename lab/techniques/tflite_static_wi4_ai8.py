"""Static quantization of TFLite files to int4 weights and int8 activations, with ranges from
calibration data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import (
    IO_INT8,
    METHOD,
    OPERATORS,
    PER_CHANNEL,
    SYMMETRIC_ACTIVATIONS,
    algorithm,
    is_sensible,
    suffixes,
)
from lab.compress.tflite.quantize import static
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return static(source, params, context, 4, 8)


TECHNIQUE = Technique(
    id="tflite_static_wi4_ai8",
    title="Static int4, 8-bit activations",
    help=(
        "Stores weights of convolutions and fully connected layers as 4-bit integers and"
        " activations as 8-bit integers. Operators without a 4-bit kernel, such as depthwise"
        " convolutions, get 8-bit weights."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name(
        "static_wi4_ai8", suffixes(params, calibration_suffix(params))
    ),
    options=(
        PER_CHANNEL,
        METHOD,
        algorithm("octav", "mse", "gptq"),
        SYMMETRIC_ACTIVATIONS,
        IO_INT8,
        *CALIBRATION,
        *LAYERS,
        OPERATORS,
    ),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    needs_calibration=True,
    presets=("full",),
    valid=is_sensible,
    extra={"full": ({"algorithm": "octav"}, {"algorithm": "mse"}, {"algorithm": "gptq"})},
    typical_s=1.0,
)
