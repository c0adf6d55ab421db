"""TFLite int8 weights; activations are quantized while the model runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.naming import speaking_name
from lab.formats.tflite import PER_CHANNEL, channel_suffix, weights
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return weights(params, 8, "dynamic", context, source)


TECHNIQUE = Technique(
    id="tflite_dynamic_wi8_afp32",
    title="Dynamic int8",
    help=(
        "Stores weights as 8-bit integers and quantizes each activation while the model runs: no calibration data "
        "needed, arithmetic in integers."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("dynamic_wi8_afp32", channel_suffix(params)),
    options=(PER_CHANNEL,),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    typical_s=0.1,
)
