"""Calibration items made without data, from the statistics that batch normalisations keep.

A batch normalisation keeps mean and variance of each channel over the training set. Starting from
noise, inputs are changed by gradient descent until the channels that they cause have these means
and variances. Each framework's part lies in the package of its format.

Source: Y. Cai et al.: ZeroQ, A Novel Zero Shot Quantization Framework, CVPR 2020
(arXiv:2001.00281).
"""

from __future__ import annotations

from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array

STEPS, RATE = 80, 0.1
"""Steps of gradient descent, and its learning rate for inputs that span 2."""


def noise(shape: tuple[int, ...], rng: Any, low: float, high: float) -> Array:
    """Return the inputs that the descent starts from: uniform noise, float32."""
    return np.asarray(rng.uniform(low, high, shape), np.float32)


def no_statistics(given: str) -> InvalidFile:
    """Return the error for a model that keeps no statistics."""
    return InvalidFile(
        "This model has no batch normalisation",
        allowed="a Keras or PyTorch model with batch normalisations",
        given=given,
    )
