"""Static quantization to 8-bit weights and 16-bit activations with TensorFlow's own converter:
Keras -> TFLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import IO_INT16, suffixes
from lab.compress.tflite.tf_converter import FALLBACK, check_whole, convert, static
from lab.plugs import Context, Technique

_KERNELS = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    file = convert(source, context, lambda tf, c, m: static(tf, c, m, params, context, _KERNELS))
    return file if params[FALLBACK.id] else check_whole(file)


def _name(params: Mapping[str, Any]) -> str:
    fallback = "float_fallback" if params[FALLBACK.id] else ""
    return speaking_name(
        "static_wi8_ai16", suffixes(params, calibration_suffix(params)), fallback, "tf"
    )


TECHNIQUE = Technique(
    id="tf_static_int16x8",
    title="Static 16x8 (TensorFlow)",
    help=(
        "Stores weights as 8-bit and activations as 16-bit integers with TensorFlow's converter."
        " The accuracy is close to float, but few runtimes have fast kernels for it."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    name=_name,
    options=(IO_INT16, FALLBACK, *CALIBRATION),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    needs_calibration=True,
    presets=("full",),
    typical_s=8.0,
)
