"""Static int8 quantization of ONNX files by NNCF, with its bias correction and SmoothQuant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION
from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.nncf.options import (
    ALPHA,
    BIAS,
    MODEL_TYPE,
    ONE_BY_ONE,
    OVERFLOW,
    PRESET,
    is_sensible,
    quantizing_suffix,
)
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.nncf.models import OnnxSource
    from lab.compress.nncf.quantizing import static_int8

    return static_int8(source, OnnxSource(source), params, context)


TECHNIQUE = Technique(
    id="nncf_onnx_static_int8",
    title="Static int8 by NNCF",
    help=(
        "Stores weights and activations as 8-bit integers with Intel's quantizer. Each output"
        " channel of a weight has its own scale, and biases are corrected for shifts caused by"
        " rounding. The file runs in ONNX Runtime and OpenVINO."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=lambda params: speaking_name("static_wi8_ai8_nncf_onnx", quantizing_suffix(params)),
    options=(
        PRESET,
        replace(BIAS, sweep={"full": BIAS.choices}),
        MODEL_TYPE,
        ALPHA,
        OVERFLOW,
        *CALIBRATION,
        *LAYERS,
    ),
    toolchain="nncf",
    requires=("nncf", "openvino", "onnx", "onnxruntime"),
    needs_calibration=True,
    presets=("full",),
    valid=is_sensible,
    extra={"full": ({"preset": "mixed"}, *ONE_BY_ONE)},
    typical_s=3.0,
)
