"""TFLite int8 weights and activations, with ranges from calibration data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.calibrating import CALIBRATION, CALIBRATION_STUDY, calibration_suffix
from lab.formats.naming import speaking_name
from lab.formats.tflite import METHOD, PER_CHANNEL, channel_suffix, static
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return static(params, 8, context, source)


def _name(params: Mapping[str, Any]) -> str:
    method = "" if params["method"] == "minmax" else params["method"]
    return speaking_name("static_wi8_ai8", channel_suffix(params), method, calibration_suffix(params))


TECHNIQUE = Technique(
    id="tflite_static_wi8_ai8",
    title="Static int8",
    help=(
        "Stores weights and activations as 8-bit integers; calibration data tell each activation's range beforehand. "
        "What microcontrollers and NPUs ask for."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=_name,
    options=(PER_CHANNEL, METHOD, *CALIBRATION),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    needs_calibration=True,
    extra={"full": CALIBRATION_STUDY},
    typical_s=1.0,
)
