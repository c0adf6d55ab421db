"""ONNX int8 weights and activations, with ranges from calibration data (QDQ format)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.calibrating import CALIBRATION, CALIBRATION_STUDY, calibration_suffix
from lab.formats.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique

_BOTH = (False, True)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.onnx_files import working_copy
    from lab.formats.onnx_ranges import check_finite, write_ranges
    from lab.formats.onnx_static import preprocess, quantize

    model = working_copy(source, context.workdir)
    model = preprocess(model) if params["preprocess"] else model
    x = check_finite(context.calibration(params["calibration_samples"]))
    ranges = write_ranges(model, params["method"], x, context.workdir / "ranges.json")
    return quantize(model, params, ranges, context.workdir / "model.onnx")


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "static_wi8_ai8",
        params["scheme"] if params["scheme"] != "u8s8" else "",
        "per_channel" if params["per_channel"] else "",
        "reduced" if params["reduce_range"] else "",
        params["method"] if params["method"] != "minmax" else "",
        "" if params["preprocess"] else "no_preprocess",
        calibration_suffix(params),
    )


TECHNIQUE = Technique(
    id="onnx_static_int8",
    title="Static int8",
    help="Stores weights and activations as 8-bit integers; calibration data tell each activation's range beforehand.",
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="scheme", label="Signedness", kind="choice", default="u8s8", choices=("u8s8", "s8s8", "u8u8"),
            help=(
                "Whether activations and weights (in this order) are unsigned or signed: u8s8 is x86's fast path but "
                "saturates without VNNI, s8s8 is what ARM prefers, u8u8 never saturates."
            ),
            sweep={"quick": ("u8s8", "s8s8"), "standard": ("u8s8", "s8s8"), "full": ("u8s8", "s8s8", "u8u8")},
        ),
        Option(
            id="per_channel", label="Per channel", kind="bool", default=False,
            help="One scale for each output channel of a weight instead of one for the whole weight; seldom slower.",
            sweep={"quick": _BOTH, "standard": _BOTH, "full": _BOTH},
        ),
        Option(
            id="reduce_range", label="7-bit weights", kind="bool", default=False,
            help="Leaves one bit of each weight unused, so that CPUs without VNNI do not saturate when adding up.",
            sweep={"standard": _BOTH, "full": _BOTH},
        ),
        Option(
            id="method", label="Calibration method", kind="choice", default="minmax",
            choices=("minmax", "entropy", "percentile"),
            help=(
                "How an activation's range is chosen: its extremes, the range that loses least information, or the "
                "range of 99.999 % of its values. ONNX Runtime's entropy starts with no more bins than it needs: on up "
                "to 256 items it keeps the extremes."
            ),
            sweep={"standard": ("minmax", "percentile"), "full": ("minmax", "entropy", "percentile")},
        ),
        *CALIBRATION,
        Option(
            id="preprocess", label="Pre-processing", kind="bool", default=True,
            help=(
                "Folds batch normalisations and constants into their neighbours before quantizing: fewer operators, "
                "and fewer places that round. Off is for models that the folding breaks."
            ),
        ),
    ),
    requires=("onnx", "onnxruntime"),
    needs_calibration=True,
    extra={"full": CALIBRATION_STUDY},
    typical_s=0.7,
)  # fmt: skip
