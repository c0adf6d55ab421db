"""Static int8 quantization of ONNX files with ranges from calibration data (QDQ format)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, CALIBRATION_STUDY, calibration_suffix
from lab.compress.choosing import LAYERS, WIDE, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.onnx.choosing import OPERATORS, operators_suffix
from lab.options import Option
from lab.plugs import Context, Technique

_BOTH = (False, True)
_SCHEMES = {"u8s8": ("QUInt8", "QInt8"), "s8s8": ("QInt8", "QInt8"), "u8u8": ("QUInt8", "QUInt8")}
_PERCENTILE = 99.999


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.onnx.static import Types, static

    activation, weight = _SCHEMES[params["scheme"]]
    return static(source, params, context, Types(activation, weight, f"{activation[:-1]}16"))


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "static_wi8_ai8",
        params["scheme"] if params["scheme"] != "u8s8" else "",
        "per_channel" if params["per_channel"] else "",
        "reduced" if params["reduce_range"] else "",
        "symmetric" if params["symmetric_activations"] else "",
        _method(params),
        "" if params["quantize_bias"] else "float_bias",
        "" if params["preprocess"] else "no_preprocess",
        calibration_suffix(params),
        operators_suffix(params),
        chosen_suffix(params),
    )


def _method(params: Mapping[str, Any]) -> str:
    other = "" if params["percentile"] == _PERCENTILE else f"{params['percentile']:g}"
    return "" if params["method"] == "minmax" and not other else f"{params['method']}{other}"


_METHODS: tuple[Mapping[str, Any], ...] = (
    {"method": "percentile", "per_channel": True},
    {"method": "entropy", "calibration_samples": 512, "per_channel": True},
)
_ONE_AT_A_TIME: tuple[Mapping[str, Any], ...] = (
    {"method": "average"},
    {"method": "percentile", "percentile": 99.9},
    {"symmetric_activations": True},
    {"quantize_bias": False},
    {"operators": ("Conv", "Gemm", "MatMul")},
)
"""Settings that the full preset adds to its grid; the last one quantizes only operators that
multiply, where integers pay off.
"""

TECHNIQUE = Technique(
    id="onnx_static_int8",
    title="Static int8",
    help=(
        "Stores weights and activations as 8-bit integers, with activation ranges determined from"
        " calibration data."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="scheme",
            label="Signedness",
            kind="choice",
            default="u8s8",
            choices=("u8s8", "s8s8", "u8u8"),
            help=(
                "Sets whether activations and weights (in this order) are unsigned or signed. The"
                " scheme u8s8 is the fast path of x86 but saturates without VNNI; s8s8 is the one"
                " for ARM (on x86, ONNX Runtime converts some of its activations to unsigned ones,"
                " which saturate too); u8u8 never saturates."
            ),
            sweep={
                "quick": ("u8s8", "s8s8"),
                "standard": ("u8s8", "s8s8"),
                "full": ("u8s8", "s8s8", "u8u8"),
            },
        ),
        Option(
            id="per_channel",
            label="Per channel",
            kind="bool",
            default=False,
            help=(
                "Uses one scale for each output channel of a weight instead of one for the whole"
                " weight; this is rarely slower."
            ),
            sweep={"quick": _BOTH, "standard": _BOTH, "full": _BOTH},
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
            sweep={"standard": _BOTH, "full": _BOTH},
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
                " range of nearly all of its values. ONNX Runtime's entropy method keeps the"
                " extremes on up to 256 items."
            ),
        ),
        Option(
            id="percentile",
            label="Percentile",
            kind="float",
            default=_PERCENTILE,
            low=90.0,
            high=100.0,
            unit="%",
            help=(
                "Share of an activation's values that the method percentile keeps within the range;"
                " the others are clipped."
            ),
        ),
        Option(
            id="symmetric_activations",
            label="Symmetric activations",
            kind="bool",
            default=False,
            help=(
                "Centres each activation's range on zero, as some accelerators require. Activations"
                " that are never negative lose one bit."
            ),
        ),
        Option(
            id="quantize_bias",
            label="Integer bias",
            kind="bool",
            default=True,
            help=(
                "Stores biases as 32-bit integers. Turn it off to keep them in float: biases are"
                " few, but integer biases may overflow if scales are small."
            ),
        ),
        *CALIBRATION,
        Option(
            id="preprocess",
            label="Pre-processing",
            kind="bool",
            default=True,
            help=(
                "Folds batch normalisations and constants into their neighbours before"
                " quantization, which leaves fewer operators and fewer roundings. Turn it off for"
                " models that the folding breaks."
            ),
        ),
        OPERATORS,
        *LAYERS,
        WIDE,
    ),
    requires=("onnx", "onnxruntime"),
    needs_calibration=True,
    composed=dict.fromkeys(("standard", "full"), ({},)),
    extra={"standard": _METHODS[:1], "full": (*_METHODS, *CALIBRATION_STUDY, *_ONE_AT_A_TIME)},
    typical_s=0.7,
    purposes={"static_integers": ""},
)
