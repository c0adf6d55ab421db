"""Float TFLite -> float ONNX, so that a .tflite model runs in both runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.plugs import Context, Technique

OPSET = 17


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.keras_files import tensorflow
    from lab.formats.quiet import quiet
    from lab.formats.tflite_files import load_tflite

    load_tflite(source)
    tensorflow()
    import tf2onnx

    target = context.workdir / "model.onnx"
    with quiet():
        model, _ = tf2onnx.convert.from_tflite(str(source), opset=OPSET, output_path=str(target))
    _check(model)
    return target


def _check(model: Any) -> None:
    """Tf2onnx leaves operators that it does not know as they are, and no runtime loads the result."""
    unknown = sorted({node.op_type for node in model.graph.node if node.op_type.startswith("TFL_")})
    if unknown:
        raise InvalidFile("These TFLite operators have no ONNX counterpart in tf2onnx", given=", ".join(unknown))


TECHNIQUE = Technique(
    id="tflite_to_onnx",
    title="TFLite to ONNX",
    help="Writes the TFLite model as an ONNX file, for batches of one item; no number changes.",
    accepts=("tflite",),
    produces="onnx",
    apply=_apply,
    toolchain="tensorflow",
    requires=("tensorflow", "tf2onnx"),
    conversion=True,
    only_first=True,
    typical_s=9.0,
)
