"""Accuracy-aware static int8 quantization of OpenVINO models by NNCF, which keeps layers in float
until the metric drop is within a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.naming import speaking_name
from lab.compress.nncf.accuracy import CONTROLLED, controlled_suffix
from lab.compress.nncf.options import is_sensible
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.nncf.accuracy import controlled_int8
    from lab.compress.nncf.models import OpenVinoSource

    return controlled_int8(source, OpenVinoSource(source), params, context)


TECHNIQUE = Technique(
    id="nncf_openvino_accuracy",
    title="Static int8 by NNCF, accuracy-aware",
    help=(
        "Quantizes all layers to 8-bit integers, then returns the most harmful ones to float until"
        " the drop of the task's metric on validation items is within the limit."
    ),
    accepts=("openvino_ir",),
    produces="openvino_ir",
    apply=_apply,
    name=lambda params: speaking_name("static_wi8_ai8_nncf", controlled_suffix(params)),
    options=CONTROLLED,
    toolchain="nncf",
    requires=("nncf", "openvino"),
    needs_calibration=True,
    presets=("full",),
    valid=is_sensible,
    typical_s=10.0,
)
