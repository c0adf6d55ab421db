"""ONNX int8 weights; activations are quantized while the model runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique

_BOTH = (False, True)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.onnx_files import quantization, working_copy
    from lab.formats.quiet import quiet

    package, target = quantization(), context.workdir / "model.onnx"
    kind = package.QuantType.QInt8 if params["weight_type"] == "int8" else package.QuantType.QUInt8
    with quiet():
        package.quantize_dynamic(
            working_copy(source, context.workdir), target, weight_type=kind,
            per_channel=params["per_channel"], reduce_range=params["reduce_range"],
        )  # fmt: skip
    return target


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "dynamic_wi8_afp32",
        "u8s8" if params["weight_type"] == "int8" else "",
        "per_channel" if params["per_channel"] else "",
        "reduced" if params["reduce_range"] else "",
    )


TECHNIQUE = Technique(
    id="onnx_dynamic_int8",
    title="Dynamic int8",
    help=(
        "Stores weights as 8-bit integers and measures each activation's range while the model runs: no calibration "
        "data needed, but every call pays for the measuring. Meant for fully connected layers and Transformers."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="per_channel", label="Per channel", kind="bool", default=False,
            help="One scale for each output channel of a weight instead of one for the whole weight.",
            sweep={"standard": _BOTH, "full": _BOTH},
        ),
        Option(
            id="reduce_range", label="7-bit weights", kind="bool", default=False,
            help="Leaves one bit of each weight unused, so that CPUs without VNNI do not saturate when adding up.",
            sweep={"full": _BOTH},
        ),
        Option(
            id="weight_type", label="Weight type", kind="choice", default="uint8", choices=("uint8", "int8"),
            help=(
                "Unsigned weights use the whole range of lopsided weights and have the faster convolutions on x86; "
                "signed ones are centred on zero."
            ),
            sweep={"full": ("uint8", "int8")},
        ),
    ),
    requires=("onnx", "onnxruntime"),
    typical_s=0.3,
)  # fmt: skip
