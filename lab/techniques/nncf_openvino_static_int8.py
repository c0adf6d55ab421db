"""Static int8 quantization of OpenVINO models by NNCF, with its bias correction and SmoothQuant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, CALIBRATION_STUDY
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
    from lab.compress.nncf.models import OpenVinoSource
    from lab.compress.nncf.quantizing import static_int8

    return static_int8(source, OpenVinoSource(source), params, context)


TECHNIQUE = Technique(
    id="nncf_openvino_static_int8",
    title="Static int8 by NNCF",
    help=(
        "Stores weights and activations as 8-bit integers with Intel's quantizer, which knows the"
        " integer kernels of OpenVINO and corrects biases for shifts caused by rounding."
    ),
    accepts=("openvino_ir",),
    produces="openvino_ir",
    apply=_apply,
    name=lambda params: speaking_name("static_wi8_ai8_nncf", quantizing_suffix(params)),
    options=(
        replace(PRESET, sweep={"full": PRESET.choices}),
        replace(BIAS, sweep={"full": BIAS.choices}),
        MODEL_TYPE,
        ALPHA,
        OVERFLOW,
        *CALIBRATION,
        *LAYERS,
    ),
    toolchain="nncf",
    requires=("nncf", "openvino"),
    needs_calibration=True,
    presets=("standard", "full"),
    valid=is_sensible,
    composed=dict.fromkeys(("full",), ({},)),
    extra={"full": (*ONE_BY_ONE, *CALIBRATION_STUDY)},
    typical_s=2.0,
    purposes={"static_integers": ""},
)
