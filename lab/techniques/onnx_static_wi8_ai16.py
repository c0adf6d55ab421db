"""Static quantization of ONNX files to int8 weights and 16-bit activations, with ranges from
calibration data (QDQ format).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.onnx.static import Types, static

    return static(source, params, context, Types("QUInt16", "QInt8"))


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "static_wi8_ai16",
        "per_channel" if params["per_channel"] else "",
        params["method"] if params["method"] != "minmax" else "",
        calibration_suffix(params),
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="onnx_static_wi8_ai16",
    title="Static int8 weights, 16-bit activations",
    help=(
        "Stores weights as 8-bit and activations as 16-bit integers, with hardly any loss of"
        " accuracy. It is meant for NPUs with such kernels; ONNX Runtime's CPU kernels emulate it"
        " in float, including the rounding."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="per_channel",
            label="Per channel",
            kind="bool",
            default=False,
            help=(
                "Uses one scale for each output channel of a weight instead of one for the whole"
                " weight; this is rarely slower."
            ),
            sweep={"full": (False, True)},
        ),
        Option(
            id="method",
            label="Calibration method",
            kind="choice",
            default="minmax",
            choices=("minmax", "average", "entropy", "percentile"),
            help=(
                "Sets how an activation's range is determined: from its extremes, from the mean of"
                " each item's extremes, as the range that loses the least information, or as the"
                " range of 99.999 % of its values."
            ),
            sweep={"full": ("minmax", "percentile")},
        ),
        *CALIBRATION,
        *LAYERS,
    ),
    requires=("onnx", "onnxruntime"),
    needs_calibration=True,
    presets=("full",),
    typical_s=1.0,
)
