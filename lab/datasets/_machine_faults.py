"""Faults of a blower and their sounds: bearings, fan, gear, belt, housing.

Each fault is a function of (machine, run, generator) that returns the spectrum of its sound at any
level; `faulty` sets the level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.datasets._machine_sound import (
    INNER_RACE,
    OUTER_RACE,
    RATE_HZ,
    SAMPLES,
    TABLE,
    TEETH,
    Machine,
    Run,
    db,
    frequency_hz,
    rms,
    turned,
    wave,
)
from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

Fault = Callable[[Machine, Run, "Generator"], Array]


def resonance(centre_hz: float, quality: float) -> Array:
    """Return the response of one vibration mode to an impact, complex, 1 at its centre, shape
    (SAMPLES // 2 + 1,).
    """
    ratio = frequency_hz() / centre_hz
    response: Array = (ratio / quality) / (1 - ratio**2 + 1j * ratio / quality)
    return response


def _impacts(turns_at: Array, heights: Array, run: Run) -> Array:
    """Return the spectrum of impacts at these shaft angles, in turns from the start."""
    signal = np.zeros(SAMPLES)
    at = np.searchsorted(run.angle, turns_at + run.angle[0])
    inside = at < SAMPLES
    np.add.at(signal, at[inside], heights[inside])
    return np.fft.rfft(signal)


def _ball_passes(
    per_turn: float, machine: Machine, run: Run, rng: Generator, modulation: float
) -> Array:
    """Return the spectrum of a ball that strikes a defect per_turn times a turn, slipping by one or
    two percent, modulated by the load zone.
    """
    turns = run.angle[-1] - run.angle[0]
    steps = rng.normal(1, 0.015, int(turns * per_turn * 1.1) + 2) / per_turn
    at = rng.random() / per_turn + np.cumsum(steps)
    heights = (1 + modulation * np.cos(2 * np.pi * at)) * rng.uniform(0.8, 1.2, len(at))
    ringing = resonance(machine.bearing_hz, 12) + 0.4 * resonance(1.7 * machine.bearing_hz, 12)
    return _impacts(at, heights, run) * ringing


def outer_race(machine: Machine, run: Run, rng: Generator) -> Array:
    """A pit in the outer ring of the bearing: even impacts, ringing at the bearing's resonance."""
    return _ball_passes(OUTER_RACE, machine, run, rng, modulation=0.1)


def inner_race(machine: Machine, run: Run, rng: Generator) -> Array:
    """A pit in the inner ring: it turns with the shaft, into the load zone and out of it."""
    return _ball_passes(INNER_RACE, machine, run, rng, modulation=0.9)


def imbalance(machine: Machine, run: Run, rng: Generator) -> Array:
    """Dirt on the fan: the shaft's first order grows, and parts that it shakes add the next
    orders.
    """
    return np.fft.rfft(
        turned(wave(np.arange(1, 7), db(np.array([0.0, -7, -10, -12, -14, -16])), rng), run.angle)
    )


def chipped_tooth(machine: Machine, run: Run, rng: Generator) -> Array:
    """One bad tooth: a knock per turn, and a mesh tone with many sidebands."""
    turns = int(run.angle[-1] - run.angle[0]) + 1
    knocks = _impacts(rng.random() + np.arange(turns), np.ones(turns), run) * resonance(
        machine.housing_hz, 6
    )
    sidebands = wave(TEETH + np.arange(-6, 7), db(-1.5 * np.abs(np.arange(-6, 7)) - 12), rng)
    return knocks / rms(knocks) + np.fft.rfft(turned(sidebands, run.angle))


def rub(machine: Machine, run: Run, rng: Generator) -> Array:
    """The fan grazes its housing over an arc of each turn: bursts of scraping."""
    arc = np.exp(6 * (np.cos(2 * np.pi * np.arange(TABLE) / TABLE) - 1))
    bursts = rng.standard_normal(SAMPLES) * turned(arc, run.angle)
    return np.fft.rfft(bursts) * resonance(float(rng.uniform(1500, 2500)), 1.5)


def leak(machine: Machine, run: Run, rng: Generator) -> Array:
    """Air escapes through a gap: a steady hiss at high frequencies."""
    centre = float(rng.uniform(3500, 6500))
    return np.fft.rfft(rng.standard_normal(SAMPLES)) * resonance(centre, 1.2)


def squeal(machine: Machine, run: Run, rng: Generator) -> Array:
    """A dry belt: a wavering tone with overtones that swells with the turns."""
    pitch = float(rng.uniform(900, 2200)) * (
        1 + 0.01 * np.sin(2 * np.pi * (run.angle / 2 + rng.random()))
    )
    phase = np.cumsum(pitch) / RATE_HZ + rng.random()
    tone = turned(wave(np.arange(1, 4), db(np.array([0.0, -8, -14])), rng), phase)
    swell = 0.35 + 0.65 * np.cos(np.pi * (run.angle / 2 + rng.random())) ** 2
    return np.fft.rfft(tone * swell)


def loose_part(machine: Machine, run: Run, rng: Generator) -> Array:
    """A rattling cover: impacts at irregular times, mostly where the shaft shakes it."""
    at = np.cumsum(rng.choice([0.5, 1.0, 1.5], 60)) + rng.normal(0, 0.06, 60)
    heights = rng.gamma(1.5, 1.0, 60)
    centre = float(rng.uniform(500, 1400))
    return _impacts(at, heights, run) * (resonance(centre, 5) + 0.6 * resonance(2.3 * centre, 8))


FAULTS: dict[str, tuple[Fault, float, float]] = {
    "outer race": (outer_race, -22, -14),
    "inner race": (inner_race, -22, -14),
    "imbalance": (imbalance, -3, 6),
    "chipped tooth": (chipped_tooth, -11, -3),
    "rub": (rub, -15, -7),
    "leak": (leak, -21, -12),
    "squeal": (squeal, -20, -9),
    "loose part": (loose_part, -16, -8),
}
"""Name -> (function that returns the spectrum of the fault, lowest and highest level relative to
the healthy machine's, in dB).
"""


def faulty(healthy: Array, fault: str, machine: Machine, run: Run, rng: Generator) -> Array:
    """Add a fault of random severity to the spectrum of a healthy machine's sound."""
    make, low, high = FAULTS[fault]
    extra = make(machine, run, rng)
    return healthy + extra * (db(rng.uniform(low, high)) * rms(healthy) / rms(extra))
