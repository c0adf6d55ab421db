"""TensorFlow's own converter from Keras to quantized TFLite files, shared by its techniques."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.tflite import options
from lab.errors import InvalidFile
from lab.formats.feeding import fit_items
from lab.formats.keras.files import load_keras, tensorflow
from lab.formats.quiet import quiet
from lab.formats.tflite.files import load_tflite, operator_name, type_name
from lab.lazy import np
from lab.options import Option
from lab.plugs import Context

PER_CHANNEL = replace(options.PER_CHANNEL, sweep={})

FALLBACK = Option(
    id="float_fallback",
    label="Float where an integer kernel is missing",
    kind="bool",
    default=False,
    help=(
        "Keeps an operator without an integer kernel in float; off rejects the model, as a"
        " microcontroller would."
    ),
)


def convert(source: Path, context: Context, prepare: Callable[[Any, Any, Any], None]) -> Path:
    """Convert a Keras file.

    Args:
        prepare: (TensorFlow, converter, Keras model) -> None; configures the converter.

    Raises:
        InvalidFile: Keras cannot read the file, or the converter rejects an operator.
    """
    model, tf = load_keras(source), tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    prepare(tf, converter, model)
    target = context.workdir / "model.tflite"
    target.write_bytes(converted(converter))
    return target


def write_trained_int8(aware: Any, io: str, target: Path) -> Path:
    """Write the full-integer TFLite file that a quantization-aware Keras model simulates.

    Raises:
        InvalidFile: TensorFlow's converter rejects an operator.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(aware)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    target.write_bytes(converted(converter))
    return target


def converted(converter: Any) -> bytes:
    """Return the converted model.

    Raises:
        InvalidFile: the converter rejects an operator.
    """
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        with quiet():
            return bytes(converter.convert())
    except (ConverterError, ValueError, RuntimeError) as error:
        raise _refusal(str(error)) from error


def _refusal(told: str) -> InvalidFile:
    if unknown := sorted(set(re.findall(r"'tf\.(\w+)' op is neither", told))):
        return InvalidFile(
            "TensorFlow's converter knows no TFLite operator for these",
            given=", ".join(unknown),
            remedy="Replace them in the model, or choose a runtime of ONNX files",
        )
    lines = [line for line in told.splitlines() if line.strip()] or [told]
    line = next((line for line in lines if "not yet supported" in line), lines[-1])
    return InvalidFile(
        f"TensorFlow's converter refuses this model: {line.strip()[:400]}", remedy=_INSTEAD
    )


_INSTEAD = (
    "Turn float_fallback on, or choose the technique tflite_static_wi8_ai8: both keep such"
    " operators in float"
)


def check_whole(path: Path) -> Path:
    """Return the file if it computes nothing in float: the converter silently keeps operators
    without an 8-bit kernel in float.

    Raises:
        InvalidFile: an operator is left in float.
    """
    model = load_tflite(path)
    left = {
        operator_name(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators
        if any(type_name(graph.tensors[number]).startswith("FLOAT") for number in operator.outputs)
    } - {"DEQUANTIZE"}
    if left:
        raise InvalidFile(
            "These operators have no integer kernel",
            allowed="operators that TFLite computes in integers",
            given=", ".join(sorted(left)),
            remedy=_INSTEAD,
        )
    return path


def static(
    tf: Any, converter: Any, model: Any, params: Mapping[str, Any], context: Context, kernels: str
) -> None:
    """Configure full-integer quantization with ranges from calibration items.

    Args:
        params: options io, per_channel, float_fallback and those of calibration, if the technique
            has them.
        kernels: name in `tf.lite.OpsSet`.
    """
    sets = tf.lite.OpsSet
    fallback = [sets.TFLITE_BUILTINS] if params[FALLBACK.id] else []
    converter.target_spec.supported_ops = [getattr(sets, kernels), *fallback]
    converter._experimental_disable_per_channel = not params.get(PER_CHANNEL.id, True)
    converter.inference_input_type = converter.inference_output_type = getattr(tf, params["io"])
    x = fit_items(
        context.calibration(params["calibration_samples"]), (None, *model.input_shape[1:])
    )
    converter.representative_dataset = lambda: _one_by_one(
        x.astype(np.dtype(model.inputs[0].dtype))
    )


def _one_by_one(x: Any) -> Iterator[list[Any]]:
    return ([item[None]] for item in x)
