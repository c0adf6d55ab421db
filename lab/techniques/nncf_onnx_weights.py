"""Weight-only quantization of ONNX files by NNCF; activations stay float."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS
from lab.compress.nncf.weights import (
    ALL_LAYERS,
    GROUP_SIZE,
    RATIO,
    is_sensible,
    mode_option,
    weights_name,
)
from lab.plugs import Context, Technique

_MODES = (
    "int8_asym",
    "int8_sym",
    "int4_sym",
)  # NNCF 3.4 writes zero points for int4_asym that ONNX Runtime cannot read


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.nncf.models import OnnxSource
    from lab.compress.nncf.onnx import check_runs, convolutions, weight_types
    from lab.compress.nncf.quantizing import ignored_layers
    from lab.compress.nncf.weights import compress, noted_types

    model = OnnxSource(source)
    left = convolutions(model.model)
    context.note("kept_in_float", left)
    compressed = compress(model, params, {*left, *ignored_layers(source, model.format, params)})
    context.note("weights", noted_types(weight_types(compressed), params))
    check_runs(model, compressed, context)
    return model.write(compressed, context.workdir)


TECHNIQUE = Technique(
    id="nncf_onnx_weights",
    title="Dense weights in 8 or 4 bits by NNCF",
    help=(
        "Stores the weights of dense layers in 8 or 4 bits and computes in float. Convolutions stay"
        " float, because ONNX Runtime rejects the files NNCF writes for them."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=lambda params: weights_name(params, "onnx"),
    options=(mode_option(_MODES, _MODES), GROUP_SIZE, RATIO, ALL_LAYERS, *LAYERS),
    toolchain="nncf",
    requires=("nncf", "openvino", "onnx", "onnxruntime"),
    presets=("full",),
    valid=is_sensible,
    extra={"full": ({"mode": "int4_sym", "all_layers": True},)},
    typical_s=0.7,
)
