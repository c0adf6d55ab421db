"""ONNX int8 weights and activations, with ranges from calibration data (QDQ format)."""

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
"""What the full preset tries beside its grid; the last one quantizes only where it pays, in
operators that multiply.
"""

TECHNIQUE = Technique(
    id="onnx_static_int8",
    title="Static int8",
    help=(
        "Stores weights and activations as 8-bit integers; calibration data tell each activation's"
        " range beforehand."
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
                "Whether activations and weights (in this order) are unsigned or signed: u8s8 is"
                " x86's fast path but saturates without VNNI, s8s8 is what ARM prefers (on x86 ONNX"
                " Runtime turns some of its activations into unsigned ones, which saturate too),"
                " u8u8 never saturates."
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
                "One scale for each output channel of a weight instead of one for the whole weight;"
                " seldom slower."
            ),
            sweep={"quick": _BOTH, "standard": _BOTH, "full": _BOTH},
        ),
        Option(
            id="reduce_range",
            label="7-bit weights",
            kind="bool",
            default=False,
            help=(
                "Leaves one bit of each weight unused, so that CPUs without VNNI do not saturate"
                " when adding up."
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
                "How an activation's range is chosen: its extremes, the mean of each item's"
                " extremes, the range that loses least information, or the range of nearly all of"
                " its values. ONNX Runtime's entropy starts with no more bins than it needs: on up"
                " to 256 items it keeps the extremes."
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
                "How much of an activation's values the method percentile keeps within the range;"
                " the rest is cut off."
            ),
        ),
        Option(
            id="symmetric_activations",
            label="Symmetric activations",
            kind="bool",
            default=False,
            help=(
                "Centres each activation's range on zero, as some accelerators demand: what never"
                " is negative loses a bit."
            ),
        ),
        Option(
            id="quantize_bias",
            label="Integer bias",
            kind="bool",
            default=True,
            help=(
                "Off keeps the biases in float: they are few, but a 32-bit integer bias may"
                " overflow where scales are small."
            ),
        ),
        *CALIBRATION,
        Option(
            id="preprocess",
            label="Pre-processing",
            kind="bool",
            default=True,
            help=(
                "Folds batch normalisations and constants into their neighbours before quantizing:"
                " fewer operators, and fewer places that round. Off is for models that the folding"
                " breaks."
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
