"""The two halves of onnxruntime's static quantization: preparing the graph, and writing integers into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.onnx_files import quantization
from lab.formats.onnx_ranges import METHODS
from lab.formats.quiet import quiet

_SCHEMES = {"u8s8": ("QUInt8", "QInt8"), "s8s8": ("QInt8", "QInt8"), "u8u8": ("QUInt8", "QUInt8")}


def preprocess(model: Path) -> Path:
    """Write the model with shapes inferred, constants folded and operators fused, beside itself.

    Source: onnxruntime.quantization.shape_inference.quant_pre_process.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    target = model.with_name("preprocessed.onnx")
    with quiet():
        quant_pre_process(str(model), str(target), skip_symbolic_shape=True)
    return target


def quantize(model: Path, params: Mapping[str, Any], ranges: Path, target: Path) -> Path:
    """Write the static int8 variant (QDQ) of a model.

    Args:
        params: scheme, per_channel, reduce_range and method of the technique `onnx_static_int8`.
        ranges: calibration cache of the same method, see `lab.formats.onnx_ranges.write_ranges`.
    """
    package = quantization()
    activation, weight = (getattr(package.QuantType, kind) for kind in _SCHEMES[params["scheme"]])
    with quiet():
        package.quantize_static(
            model, target, None, quant_format=package.QuantFormat.QDQ, activation_type=activation, weight_type=weight,
            per_channel=params["per_channel"], reduce_range=params["reduce_range"],
            calibrate_method=getattr(package.CalibrationMethod, METHODS[params["method"]]),
            calibration_cache_path=ranges,
        )  # fmt: skip
    return target
