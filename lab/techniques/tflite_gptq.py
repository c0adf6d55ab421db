"""Weight quantization of TFLite files with GPTQ, whose rounding errors compensate each other on
calibration data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import BITS, MODE, OPERATORS, PER_CHANNEL, suffixes
from lab.compress.tflite.quantize import weights
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return weights(
        source, {**params, "algorithm": "gptq"}, context, int(params["bits"]), params["mode"]
    )


def _name(params: Mapping[str, Any]) -> str:
    base = f"{params['mode']}_wi{params['bits']}_afp32"
    return speaking_name(
        base, suffixes({**params, "algorithm": "gptq"}, calibration_suffix(params))
    )


TECHNIQUE = Technique(
    id="tflite_gptq",
    title="GPTQ weights",
    help=(
        "Stores weights as integers. The weights of fully connected layers are rounded one after"
        " another, and each rounding error is compensated by the next weights, based on calibration"
        " data (Frantar et al. 2022). Other operators are rounded as usual."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=_name,
    options=(BITS, MODE, PER_CHANNEL, *CALIBRATION, *LAYERS, OPERATORS),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    needs_calibration=True,
    presets=("full",),
    extra={"full": ({"mode": "dynamic"}, {"bits": "8"}, {"bits": "2"})},
    typical_s=2.0,
)
