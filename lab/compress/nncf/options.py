"""Options that NNCF's quantizing techniques share, their part of the variant's name, and the
matching NNCF arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lab.compress.calibrating import calibration_suffix
from lab.compress.choosing import chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import Option

PRESET = Option(
    id="preset",
    label="Activations",
    kind="choice",
    default="performance",
    choices=("performance", "mixed"),
    help=(
        "Performance centres the ranges of activations on zero, which is fastest. Mixed allows"
        " asymmetric ranges, which are finer after activation functions such as GELU or swish."
    ),
)

BIAS = Option(
    id="bias_correction",
    label="Bias correction",
    kind="choice",
    default="fast",
    choices=("fast", "full", "off"),
    help=(
        "Shifts biases so that each layer's mean output stays as in float. Fast estimates the"
        " shift layer by layer; full runs the quantized model up to each layer, which takes"
        " longer."
    ),
)

MODEL_TYPE = Option(
    id="model_type",
    label="Model type",
    kind="choice",
    default="none",
    choices=("none", "transformer"),
    help=(
        "Transformer keeps operators around attention and normalisation in float and moves"
        " outliers of activations into the weights (SmoothQuant)."
    ),
)

ALPHA = Option(
    id="smooth_quant_alpha",
    label="SmoothQuant strength",
    kind="float",
    default=0.95,
    low=-1,
    high=1,
    help=(
        "Share of an activation's outliers that moves into the weights, from 0 to 1; -1 moves"
        " none. It only has an effect in transformer mode."
    ),
)

OVERFLOW = Option(
    id="overflow_fix",
    label="Half-range weights",
    kind="choice",
    default="first_layer",
    choices=("first_layer", "all", "off"),
    help=(
        "Layers whose weights use half of the 8-bit range, so that sums do not overflow on x86"
        " CPUs without VNNI. CPUs with VNNI or another architecture do not need this."
    ),
)

QUANTIZING = (PRESET, BIAS, MODEL_TYPE, ALPHA, OVERFLOW)

ONE_BY_ONE: tuple[Mapping[str, Any], ...] = (
    {"model_type": "transformer"},
    {"model_type": "transformer", "smooth_quant_alpha": 0.5},
    {"overflow_fix": "all"},
    {"overflow_fix": "off"},
)
"""Options that the full preset varies one setting at a time."""


def is_sensible(params: Mapping[str, Any]) -> bool:
    """Return False where SmoothQuant has a strength but is not applied."""
    return bool(params[MODEL_TYPE.id] == "transformer" or params[ALPHA.id] == ALPHA.default)


def quantizing_suffix(params: Mapping[str, Any]) -> str:
    """Return settings that differ from NNCF's defaults, then the calibration, then the chosen
    layers; see `lab.compress.naming`.
    """
    bias = {"fast": "", "full": "full_bias", "off": "no_bias"}[params[BIAS.id]]
    half = {"first_layer": "", "all": "half_range", "off": "full_range"}[params[OVERFLOW.id]]
    alpha = params[ALPHA.id]
    return speaking_name(
        params[PRESET.id] if params[PRESET.id] != PRESET.default else "",
        bias,
        "transformer" if params[MODEL_TYPE.id] == "transformer" else "",
        f"alpha{alpha:g}" if alpha != ALPHA.default else "",
        half,
        calibration_suffix(params),
        chosen_suffix(params),
    )


def settings(package: Any, params: Mapping[str, Any], ignored: Collection[str]) -> dict[str, Any]:
    """Return the arguments of `nncf.quantize`, without the model, the calibration items and the
    advanced parameters.

    Args:
        package: the module nncf.
        ignored: names of the nodes that stay in float.
    """
    return {
        "preset": package.QuantizationPreset(params[PRESET.id]),
        "fast_bias_correction": params[BIAS.id] != "full",
        "model_type": (
            package.ModelType.TRANSFORMER if params[MODEL_TYPE.id] == "transformer" else None
        ),
        "ignored_scope": package.IgnoredScope(names=list(ignored)),
    }


def advanced(package: Any, params: Mapping[str, Any]) -> Any:
    """Return NNCF's AdvancedQuantizationParameters."""
    fix = {"first_layer": "FIRST_LAYER", "all": "ENABLE", "off": "DISABLE"}[params[OVERFLOW.id]]
    return package.AdvancedQuantizationParameters(
        overflow_fix=getattr(package.OverflowFix, fix),
        disable_bias_correction=params[BIAS.id] == "off",
        smooth_quant_alphas=package.AdvancedSmoothQuantParameters(matmul=params[ALPHA.id]),
    )
