"""Mel-frequency cepstral coefficients of a 1-s clip, the front end of MLPerf Tiny's keyword
spotting.

Frames of 30 ms every 20 ms, Hann window, magnitude spectrum, 40 triangles on the HTK mel scale from
20 Hz to 4 kHz, logarithm, DCT-II, 10 coefficients: the parameters of github.com/mlcommons/tiny,
benchmark/training/keyword_spotting, with the definitions of tf.signal. Double precision.
"""

from __future__ import annotations

from functools import cache

from lab.lazy import np
from lab.plugs import Array

RATE_HZ = 16_000
FRAME, STRIDE, FFT = 480, 320, 512
MEL_BINS, LOW_HZ, HIGH_HZ = 40, 20.0, 4_000.0
COEFFICIENTS = 10
SPREAD = (20.0, 4.0, 2.0, 2.0, 1.5, 1.5, 1.0, 1.0, 1.0, 1.0)
"""Divisor of the coefficients, which brings them to about −4 to 4."""
STEPS = 8
"""Steps per unit: features are rounded to multiples of 1/STEPS after the division, equal on every
machine.
"""
FLOOR = 1e-6
"""Addend of each mel bin before the logarithm, which keeps digital silence finite."""


def mfcc(clip: Array) -> Array:
    """Return coefficients, (samples,) in −1..1 at 16 kHz -> (frames, COEFFICIENTS); one second has
    49 frames.
    """
    return log_mel(clip) @ dct_matrix()


def features(clip: Array) -> Array:
    """Return quantized coefficients, (samples,) -> (frames, COEFFICIENTS) int8, in steps."""
    return np.clip(np.round(mfcc(clip) / SPREAD * STEPS), -127, 127).astype(np.int8)


def as_stored(x: Array) -> Array:
    """Convert int8 steps to model inputs, (…, frames, COEFFICIENTS) int8 -> (…, frames,
    COEFFICIENTS, 1) float32, exact.
    """
    return x[..., np.newaxis].astype(np.float32) / np.float32(STEPS)


def picture(items: Array) -> Array:
    """Return spectrograms for display, (items, frames, COEFFICIENTS, 1) as stored -> (items,
    frames, MEL_BINS).
    """
    return smooth_log_mel(items[..., 0] * np.array(SPREAD))


def smooth_log_mel(coefficients: Array) -> Array:
    """Reconstruct a smooth log-mel spectrogram, (…, COEFFICIENTS) -> (…, MEL_BINS).

    It is the inverse DCT with the higher coefficients set to zero: a spectrum's outline without its
    detail.
    """
    halved = np.concatenate([coefficients[..., :1] / 2, coefficients[..., 1:]], axis=-1)
    outline: Array = halved @ dct_matrix().T
    return outline


def log_mel(clip: Array) -> Array:
    """Return the natural logarithm of the mel spectrogram, (samples,) -> (frames, MEL_BINS)."""
    frames = np.lib.stride_tricks.sliding_window_view(clip, FRAME)[::STRIDE]
    magnitude = np.abs(np.fft.rfft(frames * _window(), FFT))
    return np.log(magnitude @ mel_matrix() + FLOOR)


def mel(frequency_hz: Array | float) -> Array:
    """Convert frequencies to the HTK mel scale."""
    scale: Array = 1127.0 * np.log1p(np.divide(frequency_hz, 700.0))
    return scale


@cache
def mel_matrix() -> Array:
    """Return triangles with corners evenly spaced in mel, (FFT bins, MEL_BINS); the bin of 0 Hz has
    no weight.
    """
    corners = np.linspace(mel(LOW_HZ), mel(HIGH_HZ), MEL_BINS + 2)
    bins = mel(np.linspace(0.0, RATE_HZ / 2, FFT // 2 + 1))[:, np.newaxis]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


@cache
def dct_matrix() -> Array:
    """Return the DCT-II, (MEL_BINS, COEFFICIENTS), each column scaled by sqrt(2 / MEL_BINS)."""
    place = (np.arange(MEL_BINS)[:, np.newaxis] + 0.5) * np.pi / MEL_BINS
    matrix: Array = np.cos(place * np.arange(COEFFICIENTS)) * np.sqrt(2 / MEL_BINS)
    return matrix


@cache
def _window() -> Array:
    """Return a periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
