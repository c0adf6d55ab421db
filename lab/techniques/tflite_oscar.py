"""Dynamic quantization of TFLite files with OSCAR, which scales weights and activations against
each other first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.tflite.options import BITS, OPERATORS, PER_CHANNEL, suffixes
from lab.compress.tflite.quantize import weights
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    return weights(
        source, {**params, "algorithm": "oscar"}, context, int(params["bits"]), "dynamic"
    )


def _name(params: Mapping[str, Any]) -> str:
    base = f"dynamic_wi{params['bits']}_afp32"
    return speaking_name(
        base, suffixes({**params, "algorithm": "oscar"}, calibration_suffix(params))
    )


TECHNIQUE = Technique(
    id="tflite_oscar",
    title="Dynamic with scaled inputs (OSCAR)",
    help=(
        "Works like dynamic quantization, but first scales the inputs of fully connected layers"
        " against their weights, based on calibration data, and clips large weights where that"
        " costs the least (OSCAR). It adds one multiplication per layer."
    ),
    accepts=("tflite",),
    produces="tflite",
    apply=_apply,
    name=_name,
    options=(BITS, PER_CHANNEL, *CALIBRATION, *LAYERS, OPERATORS),
    requires=("ai-edge-quantizer", "ai-edge-litert"),
    needs_calibration=True,
    presets=("full",),
    extra={"full": ({"bits": "8"}, {"bits": "2"})},
    typical_s=2.0,
)
