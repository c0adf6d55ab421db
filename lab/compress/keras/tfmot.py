"""Quantization-aware models of TensorFlow Model Optimization (TFMOT), with ranges from calibration
items.

TFMOT starts the range of every activation at -6 to 6 and moves it by a thousandth per step, so that
a short training ends with ranges that do not fit. Here calibration items set the ranges before the
training, and ranges follow faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from lab.compress.keras.fake_quantization import MOMENTUM
from lab.compress.keras.legacy import REMEDY, carried_over, legacy_keras
from lab.errors import InvalidFile
from lab.formats.feeding import fit_items
from lab.formats.quiet import quiet
from lab.plugs import Array

KEEP, FOLLOW, TAKE = 1.0, 1 - MOMENTUM, 0.0
"""Share of an activation's range that stays when a batch is seen."""


def quantization_aware(model: Any, x: Array) -> Any:
    """Return a tf_keras model that rounds weights and activations to 8 bits, with ranges from
    calibration items.

    Args:
        model: Keras 3, functional and flat, batch normalisations folded.
        x: calibration items, shape (n, *item).

    Raises:
        InvalidFile: tf_keras or TFMOT does not support a layer.
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
    """Run items through the model in training mode: ranges of activations follow, ranges of kernels
    are recomputed.
    """
    with ranges_keep(kept):
        aware(x, training=True)


@contextmanager
def ranges_keep(share: float) -> Iterator[None]:
    """Set, until the block ends, the share of activation ranges that stays when a batch is seen;
    TFMOT's own value is fixed.
    """
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops

    usual = quant_ops.MovingAvgQuantize
    quant_ops.MovingAvgQuantize = partial(usual, ema_decay=share)
    try:
        yield
    finally:
        quant_ops.MovingAvgQuantize = usual
