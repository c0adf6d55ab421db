"""Keras -> float TFLite; all TFLite quantization techniques start from this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.tflite.tf_converter import converted
    from lab.formats.keras.files import load_keras, tensorflow

    tf, target = tensorflow(), context.workdir / "model.tflite"
    target.write_bytes(converted(tf.lite.TFLiteConverter.from_keras_model(load_keras(source))))
    return target


TECHNIQUE = Technique(
    id="keras_to_tflite",
    title="Keras to TFLite",
    help=(
        "Converts the Keras model to a float TFLite file for batch size 1. Weights are not changed."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    conversion=True,
    typical_s=6.0,
)
