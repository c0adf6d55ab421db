"""Dynamic int8 quantization with TensorFlow's own converter: Keras -> TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.naming import speaking_name
from lab.compress.tflite.options import suffixes
from lab.compress.tflite.tf_converter import PER_CHANNEL, convert
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    def prepare(tf: Any, converter: Any, model: Any) -> None:
        converter._experimental_disable_per_channel = not params["per_channel"]

    return convert(source, context, prepare)


TECHNIQUE = Technique(
    id="tf_dynamic_int8",
    title="Dynamic int8 (TensorFlow)",
    help=(
        "Stores weights as 8-bit integers and quantizes each activation at run time, with"
        " TensorFlow's converter. Weights with fewer than 1024 elements stay float."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    name=lambda params: speaking_name("dynamic_wi8_afp32", suffixes(params), "tf"),
    options=(PER_CHANNEL,),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    presets=("full",),
    extra={"full": ({"per_channel": False},)},
    typical_s=7.0,
)
