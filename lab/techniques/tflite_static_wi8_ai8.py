"""Static quantization of TFLite files to int8 weights and activations, with ranges from calibration
data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, CALIBRATION_STUDY, calibration_suffix
from lab.compress.choosing import LAYERS, WIDE
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
    return static(source, params, context, 8, 8)


TECHNIQUE = Technique(
    id="tflite_static_wi8_ai8",
    title="Static int8",
    help=(
        "Stores weights and activations as 8-bit integers, with activation ranges determined from"
        " calibration data. Microcontrollers and NPUs require it."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name(
        "static_wi8_ai8", suffixes(params, calibration_suffix(params))
    ),
    options=(
        PER_CHANNEL,
        METHOD,
        algorithm("octav", "mse", "gptq"),
        SYMMETRIC_ACTIVATIONS,
        IO_INT8,
        *CALIBRATION,
        *LAYERS,
        WIDE,
        OPERATORS,
    ),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    needs_calibration=True,
    valid=is_sensible,
    composed=dict.fromkeys(("standard", "full"), ({},)),
    extra={
        "full": (
            *CALIBRATION_STUDY,
            {"algorithm": "octav"},
            {"algorithm": "gptq"},
            {"symmetric_activations": True},
        )
    },
    typical_s=1.0,
    purposes={"static_integers": ""},
)
