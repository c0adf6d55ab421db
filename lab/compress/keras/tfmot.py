"""Quantization-aware models of TensorFlow Model Optimization (TFMOT): what it is told, and what it
leaves to be done.

TFMOT starts the range of every activation at -6 to 6 and moves it by a thousandth a step, so that a
short training ends with ranges that fit nothing. Here the ranges are taken from calibration items
before the training, and follow faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lab.compress.keras.fake_quantization import MOMENTUM
from lab.compress.keras.legacy import REMEDY, carried_over, legacy_keras
from lab.compress.tflite.tf_converter import converted
from lab.errors import InvalidFile
from lab.formats.feeding import fit_items
from lab.formats.quiet import quiet
from lab.plugs import Array

KEEP, FOLLOW, TAKE = 1.0, 1 - MOMENTUM, 0.0
"""How much of an activation's range stays when a batch is seen."""


def quantization_aware(model: Any, x: Array) -> Any:
    """A tf_keras model that rounds weights and activations to 8 bits, its ranges taken from items.

    Args:
        model: Keras 3, functional and flat, batch normalisations folded.
        x: calibration items, shape (n, *item).

    Raises:
        InvalidFile: tf_keras or TFMOT has no such layer.
    """
    tf_keras, tfmot = legacy_keras()
    plain, quantization = carried_over(model, tf_keras), tfmot.quantization.keras
    _check(plain)
    try:
        with quiet():
            aware = quantization.quantize_model(plain)
    except (ValueError, RuntimeError, TypeError, AttributeError, KeyError) as error:
        raise InvalidFile(
            f"TFMOT cannot quantize this model: {str(error).strip()[:400]}", remedy=REMEDY
        ) from error
    see(aware, fit_items(x, (None, *plain.input_shape[1:])), TAKE)
    return aware


def _check(plain: Any) -> None:
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry,
    )

    knows = default_8bit_quantize_registry.Default8BitQuantizeRegistry().supports
    odd = [
        f"{layer.name} ({type(layer).__name__})"
        for layer in plain.layers
        if type(layer).__name__ != "InputLayer" and not knows(layer)
    ]
    if odd:
        raise InvalidFile(
            "TFMOT cannot quantize these layers", given=", ".join(odd[:8]), remedy=REMEDY
        )


def see(aware: Any, x: Array, kept: float) -> None:
    """Run items through as in training: ranges of activations follow, those of kernels are taken
    anew.
    """
    with ranges_keep(kept):
        aware(x, training=True)


@contextmanager
def ranges_keep(share: float) -> Iterator[None]:
    """Until the block ends, ranges of activations keep this share of themselves when a batch is
    seen: TFMOT's own is fixed.
    """
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops

    usual = quant_ops.MovingAvgQuantize
    quant_ops.MovingAvgQuantize = partial(usual, ema_decay=share)
    try:
        yield
    finally:
        quant_ops.MovingAvgQuantize = usual


def write_int8(aware: Any, io: str, target: Path) -> Path:
    """The TFLite file in integers throughout, of which `aware` is the imitation.

    Raises:
        InvalidFile: TensorFlow's converter refuses an operator.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(aware)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    target.write_bytes(converted(converter))
    return target
