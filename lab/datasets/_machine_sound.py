"""Simulated sound of a blower in a factory: an induction motor, a gear stage and a fan on one
shaft, in a room.

All rotating parts are functions of the shaft's angle, so that all tones follow the speed together,
as in a real machine. Signals are kept as spectra, in which rooms and resonances are products
(circular, which does not matter for a running machine). Speeds are in Hz, levels in dB, times in
seconds. The bearing is an SKF 6205, as in the Case Western Reserve University Bearing Data Center,
with its defect frequencies in multiples of the shaft's speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

RATE_HZ, SAMPLES = 16_000, 11_264
OUTER_RACE, INNER_RACE = 3.5848, 5.4152
"""Impacts per turn of the shaft when a ball passes a defect of the outer or the inner ring."""
BLADES, TEETH, LINE_HZ, POLE_PAIRS = 7, 31, 50.0, 2
HUM = round(RATE_HZ / (2 * LINE_HZ))
"""Samples of one period of the magnetic hum, which has twice the mains frequency."""
SLIP = 0.045
"""Relative lag of the motor behind the field under full load."""
TABLE = 4096
"""Entries of one turn's sound; the highest order, 4 × TEETH, still has 33 of them per period."""


@dataclass(frozen=True)
class Machine:
    """One individual machine of a series, with its tolerances, mounting and age.

    Attributes:
        field_hz: speed without load.
        turn: sound of one turn of the shaft, of the fan's blades and of the gear, shape (3, TABLE).
        hum: one period of the motor's magnetic hum, shape (HUM,).
        flow: spectrum of the air's noise, shape (SAMPLES // 2 + 1,).
        housing_hz: resonance of the housing, excited by impacts of faults.
        bearing_hz: resonance of the bearing, likewise.
    """

    field_hz: float
    turn: Array
    hum: Array
    flow: Array
    housing_hz: float
    bearing_hz: float


@dataclass(frozen=True)
class Place:
    """A recording condition: the room, the microphone and the background.

    Attributes:
        response: frequency response from the machine to the microphone, complex, shape (SAMPLES //
            2 + 1,).
        noise: spectrum of the factory's noise, same shape.
        clanks: share of the recordings with a clank.
    """

    response: Array
    noise: Array
    clanks: float


@dataclass(frozen=True)
class Run:
    """One second of operation: load in 0..1 and the shaft's angle in turns, shape (SAMPLES,)."""

    load: float
    angle: Array


@cache
def time_s() -> Array:
    """Return the time of each sample, shape (SAMPLES,)."""
    return np.arange(SAMPLES) / RATE_HZ


@cache
def frequency_hz() -> Array:
    """Return the frequency of each bin of a clip's spectrum, shape (SAMPLES // 2 + 1,)."""
    return np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)


def db(level: Array | float) -> Array:
    """Return the amplitude of a level in dB."""
    return np.power(10.0, np.asarray(level) / 20)


def wave(orders: Array, amplitudes: Array, rng: Generator) -> Array:
    """Return one turn of a sound of these orders with random phases, shape (TABLE,)."""
    turn = np.arange(TABLE) / TABLE
    phase = rng.random(len(orders))[:, None]
    return amplitudes @ np.cos(2 * np.pi * (orders[:, None] * turn + phase))


def _curve(knots_hz: Array, levels_db: Array) -> Array:
    """Return a smooth spectrum through levels at some frequencies, amplitudes, shape (SAMPLES // 2
    + 1,).
    """
    octave = np.log2(np.maximum(frequency_hz(), 15.0))
    return db(np.interp(octave, np.log2(knots_hz), levels_db))


@lru_cache(maxsize=512)
def machine(seed: int, number: int) -> Machine:
    """Return an individual machine of the series."""
    rng = np.random.default_rng([seed, number, 1])
    return Machine(
        field_hz=LINE_HZ / POLE_PAIRS,
        turn=np.stack([_shaft(rng), _blades(rng), _gear(rng)]),
        hum=_hum(rng),
        flow=_flow(rng),
        housing_hz=float(rng.normal(900, 40)),
        bearing_hz=float(rng.normal(3300, 120)),
    )


def _shaft(rng: Generator) -> Array:
    """Return residual imbalance and misalignment: the first orders, falling."""
    orders = np.arange(1, 9)
    return wave(orders, db(-6 * np.log2(orders) - 8 + rng.normal(0, 2, len(orders))), rng)


def _blades(rng: Generator) -> Array:
    """Return the blade-passing sound: the blades' order and its multiples, with sidebands since
    blades differ.
    """
    orders = (BLADES * np.arange(1, 7)[:, None] + np.array([-1, 0, 1])).ravel()
    below = np.tile([-16, 0, -16], 6) - 5 * np.repeat(np.arange(6), 3)
    return wave(orders, db(below - 4 + rng.normal(0, 1.5, len(orders))), rng)


def _gear(rng: Generator) -> Array:
    """Return the tooth-meshing sound with sidebands at the shaft's speed."""
    orders = (TEETH * np.arange(1, 5)[:, None] + np.arange(-2, 3)).ravel()
    below = np.tile([-20, -11, 0, -11, -20], 4) - 6 * np.repeat(np.arange(4), 5)
    return wave(orders, db(below - 10 + rng.normal(0, 1.5, len(orders))), rng)


def _hum(rng: Generator) -> Array:
    """Return magnetic hum at twice the mains frequency and its multiples."""
    harmonics = np.arange(1, 5)[:, None]
    phase = harmonics * np.arange(HUM) / HUM + rng.random((4, 1))
    return db(rng.normal([-12, -20, -22, -28], 2)) @ np.cos(2 * np.pi * phase)


def _flow(rng: Generator) -> Array:
    """Return the spectrum of air noise: broad, highest around 400 Hz, falling above."""
    knots = np.array([15.0, 60, 200, 400, 1000, 2500, 8000])
    return _curve(
        knots, np.array([-22, -14, -9, -8, -13, -20, -34]) + rng.normal(0, 1.2, len(knots))
    )


@lru_cache(maxsize=512)
def place(seed: int, number: int) -> Place:
    """Return a recording condition."""
    rng = np.random.default_rng([seed, number, 2])
    return Place(_room(rng) * _microphone(rng), _factory(rng), clanks=float(rng.uniform(0, 0.2)))


def _room(rng: Generator) -> Array:
    """Return the response of the direct sound and a decaying tail of echoes."""
    decay_s, wet = rng.uniform(0.05, 0.15), rng.uniform(0.15, 0.4)
    tail = rng.standard_normal(SAMPLES) * np.exp(-6.9 * time_s() / decay_s)
    tail *= wet / np.sqrt((tail**2).sum())
    tail[0] += 1
    return np.fft.rfft(tail)


def _microphone(rng: Generator) -> Array:
    """Return the response for distance, high-pass and slope, which differ between mountings."""
    knots = np.array([15.0, 40, 120, 1000, 4000, 8000])
    return _curve(
        knots,
        np.array([-18, -4, 0, 0, 0, -3]) + rng.normal(0, 1.5) + rng.normal(0, 0.8, len(knots)),
    )


def _factory(rng: Generator) -> Array:
    """Return the background: falling noise with humps, and tones of other machines."""
    knots = np.array([15.0, 50, 120, 300, 700, 1600, 3500, 8000])
    spectrum = _curve(
        knots, np.array([-14, -16, -18, -21, -25, -30, -36, -42]) + rng.normal(0, 2, len(knots))
    )
    level = rng.uniform(2, 16)
    for centre in np.exp(rng.uniform(np.log(60), np.log(2500), 3)):
        spectrum = spectrum + db(rng.uniform(-22, -12)) * np.exp(
            -0.5 * ((frequency_hz() - centre) / 6) ** 2
        )
    return spectrum * db(level)


def run(machine: Machine, rng: Generator) -> Run:
    """Return a run with a random load, and a speed that yields to it and wavers slightly."""
    load, t = float(rng.uniform(0.3, 1.0)), time_s()
    speed = machine.field_hz * (1 - SLIP * load)
    drift = rng.normal(0, 0.002) * speed
    waver = np.interp(t, np.linspace(0, t[-1], 17), rng.normal(0, 0.004, 17).cumsum())
    return Run(load, rng.random() + speed * t + 0.5 * drift * t**2 + waver)


def sound(machine: Machine, run: Run, rng: Generator) -> Array:
    """Return the spectrum of a healthy machine's sound in this run; its RMS is near 1."""
    effort = db(np.array([1.0, 5.0, 4.0]) * (run.load - 0.65) + rng.normal(0, 0.7, 3))
    hum = np.tile(np.roll(machine.hum, rng.integers(HUM)), SAMPLES // HUM + 1)[:SAMPLES]
    pulsing = 1 + 0.25 * turned(machine.turn[1], run.angle)
    air = np.fft.rfft(rng.standard_normal(SAMPLES) * pulsing) * machine.flow
    return np.fft.rfft(turned(effort @ machine.turn, run.angle) + hum) + air * db(
        5 * (run.load - 0.65) + 8
    )


def turned(turn: Array, angle: Array) -> Array:
    """Sample one turn's sound at each angle: (TABLE,) and (n,) turns -> (n,)."""
    read: Array = turn[(angle * TABLE).astype(np.int64) & (TABLE - 1)]
    return read


def recorded(sound: Array, place: Place, rng: Generator) -> Array:
    """Return the microphone's samples of a sound's spectrum with the factory's noise, shape
    (SAMPLES,).
    """
    noise = rng.standard_normal((2, SAMPLES // 2 + 1))
    spectrum = sound * place.response + (noise[0] + 1j * noise[1]) * (
        place.noise * np.sqrt(SAMPLES / 2)
    )
    samples: Array = np.fft.irfft(spectrum, SAMPLES)
    return samples + _clank(rng) if rng.random() < place.clanks else samples


def _clank(rng: Generator) -> Array:
    """Return the spectrum of a dropped object: a few ringing modes that start together."""
    start = int(rng.integers(SAMPLES // 8, SAMPLES * 7 // 8))
    t, modes = time_s()[: SAMPLES - start], rng.uniform(400, 3000, 3)
    ring = np.zeros(SAMPLES)
    ring[start:] = sum(np.sin(2 * np.pi * f * t) * np.exp(-t * rng.uniform(15, 50)) for f in modes)
    return ring * db(rng.uniform(-22, -10))


def rms(spectrum: Array) -> float:
    """Return the root mean square of the samples with this spectrum (Parseval)."""
    return float(np.sqrt(2 * (np.abs(spectrum) ** 2).sum()) / SAMPLES)
