"""Room acoustics and noises between a speaker and a microphone. All waves are float64 at 16 kHz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

RATE_HZ = 16_000


def in_room(wave: Array, rng: Generator) -> Array:
    """Add the echoes of a random room and a random tilt of the microphone's treble, (samples,) ->
    (samples,).

    The room is exponentially decaying noise after the direct sound: 60 dB quieter after 0.1 to 0.6
    s, the echoes together 3 to 25 dB softer than the direct sound.
    """
    decay_s, ratio_db, tilt_db = rng.uniform(0.1, 0.6), rng.uniform(3, 25), rng.uniform(-3, 3)
    time_s = np.arange(int(decay_s * RATE_HZ)) / RATE_HZ
    echoes = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
    echoes *= 10 ** (-ratio_db / 20) / np.sqrt((echoes**2).sum())
    echoes[0] = 1.0
    size = 1 << (len(wave) + len(echoes)).bit_length()
    heard = np.fft.rfft(wave, size) * np.fft.rfft(echoes, size) * _tilt(size, tilt_db)
    return np.fft.irfft(heard, size)[: len(wave)]


def coloured(samples: int, slope: float, rng: Generator) -> Array:
    """Return noise of loudness 1 whose power falls with frequency ** slope: 0 is white, 1 pink, 2
    brown.
    """
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-slope / 2)
    spectrum[0] = 0.0
    return unit(np.fft.irfft(spectrum, samples))


def hum(samples: int, rng: Generator) -> Array:
    """Return mains hum of loudness 1: 50 or 60 Hz with 15 harmonics of falling level, over a little
    white noise.
    """
    order = np.arange(1, 17)
    strength, phase = rng.uniform(0, 1, 16) / order**0.5, rng.uniform(0, 2 * np.pi, 16)
    spectrum = np.zeros(samples // 2 + 1, dtype=np.complex128)
    spectrum[order * int(rng.choice((50, 60))) * samples // RATE_HZ] = strength * np.exp(1j * phase)
    return unit(unit(np.fft.irfft(spectrum, samples)) + 0.05 * rng.standard_normal(samples))


def unit(wave: Array) -> Array:
    """Scale a wave to a root mean square of 1."""
    scaled: Array = wave / np.sqrt((wave**2).mean())
    return scaled


def _tilt(size: int, per_octave_db: float) -> Array:
    """Return the gain of each FFT bin for this slope in decibels per octave: 0 at 1 kHz, flat below
    100 Hz.
    """
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE_HZ), 100.0) / 1000.0)
    gain: Array = 10 ** (per_octave_db * octaves / 20)
    return gain
