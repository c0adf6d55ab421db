"""Full-integer quantization with TensorFlow's own converter: Keras -> TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import IO_INT8, suffixes
from lab.compress.tflite.tf_converter import FALLBACK, PER_CHANNEL, check_whole, convert, static
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    file = convert(
        source, context, lambda tf, c, m: static(tf, c, m, params, context, "TFLITE_BUILTINS_INT8")
    )
    return file if params[FALLBACK.id] else check_whole(file)


def _name(params: Mapping[str, Any]) -> str:
    fallback = "float_fallback" if params[FALLBACK.id] else ""
    return speaking_name(
        "static_wi8_ai8", suffixes(params, calibration_suffix(params)), fallback, "tf"
    )


TECHNIQUE = Technique(
    id="tf_static_int8",
    title="Static int8 (TensorFlow)",
    help=(
        "Stores weights, activations, inputs and outputs as 8-bit integers with TensorFlow's"
        " converter, the usual way to make models for microcontrollers before ai-edge-quantizer."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    name=_name,
    options=(IO_INT8, PER_CHANNEL, FALLBACK, *CALIBRATION),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    needs_calibration=True,
    presets=("full",),
    extra={"full": ({"per_channel": False}, {"io": "uint8"}, {"io": "float32"})},
    typical_s=8.0,
)
