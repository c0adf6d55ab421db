"""Conversion of weights to 16-bit floats with TensorFlow's own converter: Keras -> TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.tflite.tf_converter import convert
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    def prepare(tf: Any, converter: Any, model: Any) -> None:
        converter.target_spec.supported_types = [tf.float16]

    return convert(source, context, prepare)


TECHNIQUE = Technique(
    id="tf_fp16",
    title="16-bit float (TensorFlow)",
    help=(
        "Stores weights as 16-bit floats with TensorFlow's converter, which halves the size; the"
        " arithmetic stays in 32 bits."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    name=lambda params: "fp16_tf",
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    presets=("full",),
    typical_s=7.0,
)
