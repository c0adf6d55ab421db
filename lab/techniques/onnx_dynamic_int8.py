"""Dynamic int8 quantization of ONNX files: weights beforehand, activations at run time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.onnx.choosing import OPERATORS, operators_suffix
from lab.options import Option
from lab.plugs import Context, Technique

_BOTH = (False, True)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.onnx.dynamic import dynamic

    return dynamic(source, params, context)


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "dynamic_wi8_afp32",
        "u8s8" if params["weight_type"] == "int8" else "",
        "per_channel" if params["per_channel"] else "",
        "reduced" if params["reduce_range"] else "",
        operators_suffix(params),
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="onnx_dynamic_int8",
    title="Dynamic int8",
    help=(
        "Stores weights as 8-bit integers and measures each activation's range at run time. It"
        " needs no calibration data, but every call takes time for the measurement. It is meant for"
        " fully connected layers and Transformers."
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
                " weight."
            ),
            sweep={"standard": _BOTH, "full": _BOTH},
        ),
        Option(
            id="reduce_range",
            label="7-bit weights",
            kind="bool",
            default=False,
            help=(
                "Leaves one bit of each weight unused, so that sums do not saturate on CPUs without"
                " VNNI."
            ),
            sweep={"full": _BOTH},
        ),
        Option(
            id="weight_type",
            label="Weight type",
            kind="choice",
            default="uint8",
            choices=("uint8", "int8"),
            help=(
                "Unsigned integers cover the range of asymmetric weights fully and have faster"
                " convolutions on x86; signed integers are centred on zero."
            ),
            sweep={"full": ("uint8", "int8")},
        ),
        OPERATORS,
        *LAYERS,
    ),
    requires=("onnx", "onnxruntime"),
    extra={"full": ({"operators": ("Gemm", "MatMul")},)},
    typical_s=0.3,
)
