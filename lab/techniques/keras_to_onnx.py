"""Keras -> float ONNX with a free batch axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique

OPSET = 17


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.keras_files import load_keras, tensorflow
    from lab.formats.quiet import quiet

    tf, model = tensorflow(), load_keras(source)
    import tf2onnx

    target = context.workdir / "model.onnx"
    with quiet():
        tf2onnx.convert.from_keras(model, input_signature=_signature(tf, model), opset=OPSET, output_path=str(target))
    return target


def _signature(tf: Any, model: Any) -> list[Any]:
    """The model's inputs with the batch axis left free."""
    return [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in model.inputs]


TECHNIQUE = Technique(
    id="keras_to_onnx",
    title="Keras to ONNX",
    help="Writes the Keras model as a float ONNX file that takes any batch; no number changes.",
    accepts=("keras",),
    produces="onnx",
    apply=_apply,
    toolchain="tensorflow",
    requires=("tensorflow", "keras", "tf2onnx"),
    conversion=True,
    typical_s=3.0,
)
