"""Float TFLite -> float ONNX, so that a .tflite model runs in both runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array, Context, Technique

OPSET, ITEMS = 17, 8
TOLERANCE, QUANTIZED_TOLERANCE = 1e-3, 0.05
"""Largest allowed difference relative to the span of the outputs; integer models may round
differently.
"""


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.keras.files import tensorflow, tf2onnx
    from lab.formats.quiet import quiet
    from lab.formats.tflite.files import load_tflite, quantized_weights

    coarse = quantized_weights(load_tflite(source)) > 0
    tensorflow()
    target = context.workdir / "model.onnx"
    with quiet():
        model, _ = tf2onnx().convert.from_tflite(str(source), opset=OPSET, output_path=str(target))
    _check_operators(model)
    _check_outputs(source, target, QUANTIZED_TOLERANCE if coarse else TOLERANCE)
    return target


def _check_operators(model: Any) -> None:
    """Reject files with operators unknown to tf2onnx, which copies them unchanged so that no
    runtime loads the result.
    """
    unknown = sorted({node.op_type for node in model.graph.node if node.op_type.startswith("TFL_")})
    if unknown:
        raise InvalidFile(
            "These TFLite operators have no ONNX counterpart in tf2onnx", given=", ".join(unknown)
        )


def _check_outputs(source: Path, target: Path, tolerance: float) -> None:
    """Check that the ONNX file gives the same outputs: tf2onnx 1.17 loses the bias of a fully
    connected layer whose input has more than two axes.
    """
    expected, actual = _outputs(source), _outputs(target)
    span = float(np.ptp(expected)) or 1.0
    if expected.shape != actual.shape or float(np.abs(expected - actual).max()) > tolerance * span:
        raise InvalidFile(
            "tf2onnx converted this TFLite file to a model with different outputs",
            allowed="files that it converts exactly",
            given=source.name,
            remedy="Add the model in its original format",
        )


def _outputs(file: Path) -> Array:
    """Return the outputs for random items in the file format's own runtime."""
    from lab.formats.feeding import run_all
    from lab.registry import runtimes

    format_ = "onnx" if file.suffix == ".onnx" else "tflite"
    runtime = next(r for r in runtimes().values() if format_ in r.formats)
    session = runtime.load(str(file), {})
    shape = [ITEMS, *(size or 1 for size in session.input.shape[1:])]
    return run_all(session, np.random.default_rng(0).uniform(0, 2, shape).astype(np.float32), 1)


TECHNIQUE = Technique(
    id="tflite_to_onnx",
    title="TFLite to ONNX",
    help="Converts the TFLite model to an ONNX file for batch size 1. Weights are not changed.",
    accepts=("tflite",),
    produces="onnx",
    apply=_apply,
    toolchain="tensorflow",
    requires=("tensorflow", "tf2onnx"),
    conversion=True,
    only_first=True,
    typical_s=9.0,
)
