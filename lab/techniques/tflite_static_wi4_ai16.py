"""Static quantization of TFLite files to int4 weights and int16 activations, with ranges from
calibration data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import (
    IO_INT16,
    METHOD,
    OPERATORS,
    PER_CHANNEL,
    algorithm,
    is_sensible,
    suffixes,
)
from lab.compress.tflite.quantize import static
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return static(source, params, context, 4, 16)


TECHNIQUE = Technique(
    id="tflite_static_wi4_ai16",
    title="Static int4, 16-bit activations",
    help=(
        "Stores weights of convolutions and fully connected layers as 4-bit integers and"
        " activations as 16-bit integers. Operators without a 4-bit kernel, such as depthwise"
        " convolutions, get 8-bit weights."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name(
        "static_wi4_ai16", suffixes(params, calibration_suffix(params))
    ),
    options=(
        replace(PER_CHANNEL, sweep={}),
        replace(METHOD, sweep={}),
        algorithm("octav", "mse", "gptq"),
        IO_INT16,
        *CALIBRATION,
        *LAYERS,
        OPERATORS,
    ),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    needs_calibration=True,
    presets=("full",),
    valid=is_sensible,
    typical_s=1.0,
)
