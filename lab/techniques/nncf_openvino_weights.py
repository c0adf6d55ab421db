"""Weight-only quantization of OpenVINO models by NNCF to integers or 4-bit floats; activations stay
float.
"""

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
    "int4_asym",
    "int4_sym",
    "int3_sym",
    "int2_sym",
    "nf4",
    "cb4",
    "nvfp4",
)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.nncf.models import OpenVinoSource
    from lab.compress.nncf.quantizing import ignored_layers
    from lab.compress.nncf.weights import compress, noted_types
    from lab.formats.openvino_ir.graph import small_weights

    model = OpenVinoSource(source)
    compressed = compress(model, params, ignored_layers(source, model.format, params))
    context.note("weights", noted_types(small_weights(compressed), params))
    return model.write(compressed, context.workdir)


TECHNIQUE = Technique(
    id="nncf_openvino_weights",
    title="Weights in 8 bits or fewer by NNCF",
    help=(
        "Stores weights in 8 bits or fewer and computes in float. Files become smaller and no"
        " calibration is needed. It is faster only if reading weights takes longer than computing,"
        " as in language models."
    ),
    accepts=("openvino_ir",),
    produces="openvino_ir",
    apply=_apply,
    name=weights_name,
    options=(
        mode_option(_MODES, ("int8_asym", "int8_sym", "int4_asym", "int4_sym", "nf4")),
        GROUP_SIZE,
        RATIO,
        ALL_LAYERS,
        *LAYERS,
    ),
    toolchain="nncf",
    requires=("nncf", "openvino"),
    presets=("full",),
    valid=is_sensible,
    extra={
        "full": (
            {"mode": "int4_sym", "group_size": "channel"},
            {"mode": "int4_sym", "ratio": 0.5},
            {"mode": "int4_sym", "all_layers": True},
            {"mode": "int2_sym"},
            {"mode": "cb4"},
        )
    },
    typical_s=0.5,
    purposes={"integer_weights": "", "embeddings": "with all_layers on"},
)
