"""Keras -> float ONNX with a free batch axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.plugs import Context, Technique

OPSET = 17


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    import onnx

    from lab.formats.keras.files import load_keras, tensorflow, tf2onnx
    from lab.formats.quiet import quiet

    tf, model = tensorflow(), load_keras(source)
    items, target = _free_batch(tf, model), context.workdir / "model.onnx"
    call = tf.function(lambda x: model(x, training=False), input_signature=items)
    with quiet():
        converted, _ = tf2onnx().convert.from_function(call, input_signature=items, opset=OPSET)
    # tf2onnx names TensorFlow's function with a counter that depends on earlier conversions
    converted.graph.doc_string = ""
    onnx.save(converted, str(target))
    return target


def _free_batch(tf: Any, model: Any) -> list[Any]:
    """Return the signature of the model's input with a free batch axis.

    Raises:
        InvalidFile: the model has several inputs.
    """
    if len(model.inputs) != 1:
        raise InvalidFile(
            "The model must have exactly one input", allowed="1", given=len(model.inputs)
        )
    tensor = model.inputs[0]
    return [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name="x")]


TECHNIQUE = Technique(
    id="keras_to_onnx",
    title="Keras to ONNX",
    help=(
        "Converts the Keras model to a float ONNX file that supports any batch size. Weights are"
        " not changed."
    ),
    accepts=("keras",),
    produces="onnx",
    apply=_apply,
    toolchain="tensorflow",
    requires=("tensorflow", "keras", "tf2onnx"),
    conversion=True,
    typical_s=3.0,
)
