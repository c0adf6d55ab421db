"""A blower as one hears it in a factory: an induction motor, a gear stage and a fan on one shaft, in a room.

Everything that turns is a function of the shaft's angle, so that all its tones follow the speed together, as they do in a
real machine. Signals are kept as their spectra, which is where rooms and resonances are a product (circular, which a
running machine's sound does not mind). Speeds in Hz, levels in dB, time in seconds. The bearing is an SKF 6205, the one of the Case Western Reserve
University Bearing Data Center, with that centre's defect frequencies in multiples of the shaft's speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

RATE_HZ, SAMPLES = 16_000, 11_264
OUTER_RACE, INNER_RACE = 3.5848, 5.4152
"""Impacts per turn of the shaft when a ball passes a defect of the outer or of the inner ring."""
BLADES, TEETH, LINE_HZ, POLE_PAIRS = 7, 31, 50.0, 2
HUM = round(RATE_HZ / (2 * LINE_HZ))
"""Samples of one period of the magnetic hum, which has twice the mains' frequency."""
SLIP = 0.045
"""How much slower than the field the motor turns under full load."""
TABLE = 4096
"""Entries of one turn's sound; the highest order, 4 × TEETH, still has 33 of them per period."""


@dataclass(frozen=True)
class Machine:
    """One individual: what tolerances, mounting and age make of a series.

    Attributes:
        field_hz: speed without load.
        turn: sound of one turn of the shaft, of the fan's blades and of the gear, shape (3, TABLE).
        hum: one period of the motor's magnetic hum, shape (HUM,).
        flow: spectrum of the air's noise, shape (SAMPLES // 2 + 1,).
        housing_hz, bearing_hz: resonances that impacts excite.
    """

    field_hz: float
    turn: Array
    hum: Array
    flow: Array
    housing_hz: float
    bearing_hz: float


@dataclass(frozen=True)
class Place:
    """Where a recording is made: the room, the microphone and what else is to be heard.

    Attributes:
        response: from the machine to the microphone, complex, shape (SAMPLES // 2 + 1,).
        noise: spectrum of the factory around, same shape.
        clanks: share of the recordings into which something falls or hits.
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
    """Time of each sample, shape (SAMPLES,)."""
    return np.arange(SAMPLES) / RATE_HZ


@cache
def frequency_hz() -> Array:
    """Frequency of each bin of a whole clip's spectrum, shape (SAMPLES // 2 + 1,)."""
    return np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)


def db(level: Array | float) -> Array:
    """Amplitude of a level in dB."""
    return np.power(10.0, np.asarray(level) / 20)


def _wave(orders: Array, amplitudes: Array, rng: Generator) -> Array:
    """One turn of a sound of these orders, random phases, shape (TABLE,)."""
    turn = np.arange(TABLE) / TABLE
    phase = rng.random(len(orders))[:, None]
    return amplitudes @ np.cos(2 * np.pi * (orders[:, None] * turn + phase))


def _curve(knots_hz: Array, levels_db: Array) -> Array:
    """A smooth spectrum through levels at some frequencies, amplitudes, shape (SAMPLES // 2 + 1,)."""
    octave = np.log2(np.maximum(frequency_hz(), 15.0))
    return db(np.interp(octave, np.log2(knots_hz), levels_db))


def resonance(centre_hz: float, quality: float) -> Array:
    """What one mode of vibration makes of an impact, complex, 1 at its centre, shape (SAMPLES // 2 + 1,)."""
    ratio = frequency_hz() / centre_hz
    response: Array = (ratio / quality) / (1 - ratio**2 + 1j * ratio / quality)
    return response


@lru_cache(maxsize=512)
def machine(seed: int, number: int) -> Machine:
    """An individual of the series."""
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
    """Residual imbalance and misalignment: the first orders, falling."""
    orders = np.arange(1, 9)
    return _wave(orders, db(-6 * np.log2(orders) - 8 + rng.normal(0, 2, len(orders))), rng)


def _blades(rng: Generator) -> Array:
    """Blade passing: the blades' order and its multiples, with sidebands since no two blades are alike."""
    orders = (BLADES * np.arange(1, 7)[:, None] + np.array([-1, 0, 1])).ravel()
    below = np.tile([-16, 0, -16], 6) - 5 * np.repeat(np.arange(6), 3)
    return _wave(orders, db(below - 4 + rng.normal(0, 1.5, len(orders))), rng)


def _gear(rng: Generator) -> Array:
    """Tooth meshing with sidebands at the shaft's speed."""
    orders = (TEETH * np.arange(1, 5)[:, None] + np.arange(-2, 3)).ravel()
    below = np.tile([-20, -11, 0, -11, -20], 4) - 6 * np.repeat(np.arange(4), 5)
    return _wave(orders, db(below - 10 + rng.normal(0, 1.5, len(orders))), rng)


def _hum(rng: Generator) -> Array:
    """Magnetic hum at twice the mains' frequency and its multiples."""
    harmonics = np.arange(1, 5)[:, None]
    phase = harmonics * np.arange(HUM) / HUM + rng.random((4, 1))
    return db(rng.normal([-12, -20, -22, -28], 2)) @ np.cos(2 * np.pi * phase)


def _flow(rng: Generator) -> Array:
    """Noise of the air: broad, highest around 400 Hz, falling above."""
    knots = np.array([15.0, 60, 200, 400, 1000, 2500, 8000])
    return _curve(knots, np.array([-22, -14, -9, -8, -13, -20, -34]) + rng.normal(0, 1.2, len(knots)))


@lru_cache(maxsize=512)
def place(seed: int, number: int) -> Place:
    """A recording condition."""
    rng = np.random.default_rng([seed, number, 2])
    return Place(_room(rng) * _microphone(rng), _factory(rng), clanks=float(rng.uniform(0, 0.2)))


def _room(rng: Generator) -> Array:
    """The direct sound and a decaying tail of echoes."""
    decay_s, wet = rng.uniform(0.05, 0.15), rng.uniform(0.15, 0.4)
    tail = rng.standard_normal(SAMPLES) * np.exp(-6.9 * time_s() / decay_s)
    tail *= wet / np.sqrt((tail**2).sum())
    tail[0] += 1
    return np.fft.rfft(tail)


def _microphone(rng: Generator) -> Array:
    """Distance, a high-pass and a slope that differ between mountings."""
    knots = np.array([15.0, 40, 120, 1000, 4000, 8000])
    return _curve(knots, np.array([-18, -4, 0, 0, 0, -3]) + rng.normal(0, 1.5) + rng.normal(0, 0.8, len(knots)))


def _factory(rng: Generator) -> Array:
    """Background: falling noise with humps, and the lines of machines that run elsewhere."""
    knots = np.array([15.0, 50, 120, 300, 700, 1600, 3500, 8000])
    spectrum = _curve(knots, np.array([-14, -16, -18, -21, -25, -30, -36, -42]) + rng.normal(0, 2, len(knots)))
    level = rng.uniform(-4, 4)
    for centre in np.exp(rng.uniform(np.log(60), np.log(2500), 3)):
        spectrum = spectrum + db(rng.uniform(-22, -12)) * np.exp(-0.5 * ((frequency_hz() - centre) / 6) ** 2)
    return spectrum * db(level)


def run(machine: Machine, rng: Generator) -> Run:
    """Some load, and a speed that yields to it and wavers a little."""
    load, t = float(rng.uniform(0.3, 1.0)), time_s()
    speed = machine.field_hz * (1 - SLIP * load)
    drift = rng.normal(0, 0.002) * speed
    waver = np.interp(t, np.linspace(0, t[-1], 17), rng.normal(0, 0.004, 17).cumsum())
    return Run(load, rng.random() + speed * t + 0.5 * drift * t**2 + waver)


def sound(machine: Machine, run: Run, rng: Generator) -> Array:
    """Spectrum of what a healthy machine gives off in this run; its RMS is near 1."""
    effort = db(np.array([1.0, 5.0, 4.0]) * (run.load - 0.65) + rng.normal(0, 0.7, 3))
    hum = np.tile(np.roll(machine.hum, rng.integers(HUM)), SAMPLES // HUM + 1)[:SAMPLES]
    pulsing = 1 + 0.25 * turned(machine.turn[1], run.angle)
    air = np.fft.rfft(rng.standard_normal(SAMPLES) * pulsing) * machine.flow
    return np.fft.rfft(turned(effort @ machine.turn, run.angle) + hum) + air * db(5 * (run.load - 0.65) + 8)


def turned(turn: Array, angle: Array) -> Array:
    """Read one turn's sound at each angle: (TABLE,) and (n,) turns -> (n,)."""
    read: Array = turn[(angle * TABLE).astype(np.int64) & (TABLE - 1)]
    return read


def recorded(sound: Array, place: Place, rng: Generator) -> Array:
    """What the microphone takes of a sound's spectrum, with the factory around, samples of shape (SAMPLES,)."""
    noise = rng.standard_normal((2, SAMPLES // 2 + 1))
    spectrum = sound * place.response + (noise[0] + 1j * noise[1]) * (place.noise * np.sqrt(SAMPLES / 2))
    samples: Array = np.fft.irfft(spectrum, SAMPLES)
    return samples + _clank(rng) if rng.random() < place.clanks else samples


def _clank(rng: Generator) -> Array:
    """Something is put down: a few ringing modes that start at one moment."""
    start = int(rng.integers(SAMPLES // 8, SAMPLES * 7 // 8))
    t, modes = time_s()[: SAMPLES - start], rng.uniform(400, 3000, 3)
    ring = np.zeros(SAMPLES)
    ring[start:] = sum(np.sin(2 * np.pi * f * t) * np.exp(-t * rng.uniform(15, 50)) for f in modes)
    return ring * db(rng.uniform(-22, -10))


# --- faults --------------------------------------------------------------------------------------------------------

Fault = Callable[[Machine, Run, "Generator"], Array]


def _impacts(turns_at: Array, heights: Array, run: Run) -> Array:
    """Spectrum of impacts when the shaft reaches given angles, in turns from the start."""
    signal = np.zeros(SAMPLES)
    at = np.searchsorted(run.angle, turns_at + run.angle[0])
    inside = at < SAMPLES
    np.add.at(signal, at[inside], heights[inside])
    return np.fft.rfft(signal)


def _ball_passes(per_turn: float, machine: Machine, run: Run, rng: Generator, modulation: float) -> Array:
    """A ball strikes a defect per_turn times a turn, slipping by a hundredth or two; the load zone modulates it."""
    turns = run.angle[-1] - run.angle[0]
    steps = rng.normal(1, 0.015, int(turns * per_turn * 1.1) + 2) / per_turn
    at = rng.random() / per_turn + np.cumsum(steps)
    heights = (1 + modulation * np.cos(2 * np.pi * at)) * rng.uniform(0.8, 1.2, len(at))
    ringing = resonance(machine.bearing_hz, 12) + 0.4 * resonance(1.7 * machine.bearing_hz, 12)
    return _impacts(at, heights, run) * ringing


def outer_race(machine: Machine, run: Run, rng: Generator) -> Array:
    """A pit in the bearing's outer ring: even impacts, ringing at the bearing's resonance."""
    return _ball_passes(OUTER_RACE, machine, run, rng, modulation=0.1)


def inner_race(machine: Machine, run: Run, rng: Generator) -> Array:
    """A pit in the inner ring: it turns with the shaft, into the load and out of it."""
    return _ball_passes(INNER_RACE, machine, run, rng, modulation=0.9)


def imbalance(machine: Machine, run: Run, rng: Generator) -> Array:
    """Dirt on the fan: the shaft's first order grows, and what it shakes follows in the next ones."""
    return np.fft.rfft(turned(_wave(np.arange(1, 7), db(np.array([0.0, -7, -10, -12, -14, -16])), rng), run.angle))


def chipped_tooth(machine: Machine, run: Run, rng: Generator) -> Array:
    """One bad tooth: a knock each turn, and a mesh that carries many sidebands."""
    turns = int(run.angle[-1] - run.angle[0]) + 1
    knocks = _impacts(rng.random() + np.arange(turns), np.ones(turns), run) * resonance(machine.housing_hz, 6)
    sidebands = _wave(TEETH + np.arange(-6, 7), db(-1.5 * np.abs(np.arange(-6, 7)) - 12), rng)
    return knocks / rms(knocks) + np.fft.rfft(turned(sidebands, run.angle))


def rub(machine: Machine, run: Run, rng: Generator) -> Array:
    """The fan grazes its housing over an arc of each turn: bursts of scraping."""
    arc = np.exp(6 * (np.cos(2 * np.pi * np.arange(TABLE) / TABLE) - 1))
    bursts = rng.standard_normal(SAMPLES) * turned(arc, run.angle)
    return np.fft.rfft(bursts) * resonance(float(rng.uniform(1500, 2500)), 1.5)


def leak(machine: Machine, run: Run, rng: Generator) -> Array:
    """Air escapes through a gap: a steady hiss, high up."""
    centre = float(rng.uniform(3500, 6500))
    return np.fft.rfft(rng.standard_normal(SAMPLES)) * resonance(centre, 1.2)


def squeal(machine: Machine, run: Run, rng: Generator) -> Array:
    """A dry belt: a wavering tone with overtones that comes and goes with the turns."""
    pitch = float(rng.uniform(900, 2200)) * (1 + 0.01 * np.sin(2 * np.pi * (run.angle / 2 + rng.random())))
    phase = np.cumsum(pitch) / RATE_HZ + rng.random()
    wave = turned(_wave(np.arange(1, 4), db(np.array([0.0, -8, -14])), rng), phase)
    swell = 0.35 + 0.65 * np.cos(np.pi * (run.angle / 2 + rng.random())) ** 2
    return np.fft.rfft(wave * swell)


def loose_part(machine: Machine, run: Run, rng: Generator) -> Array:
    """A cover rattles: impacts at odd moments, mostly where the shaft shakes it."""
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
"""Name -> spectrum of what it adds to the sound, and the weakest and strongest level against the healthy machine's, in dB."""


def rms(spectrum: Array) -> float:
    """Root mean square of the samples that have this spectrum (Parseval)."""
    return float(np.sqrt(2 * (np.abs(spectrum) ** 2).sum()) / SAMPLES)


def faulty(healthy: Array, fault: str, machine: Machine, run: Run, rng: Generator) -> Array:
    """Add a fault of random severity to the spectrum of a healthy machine's sound."""
    make, low, high = FAULTS[fault]
    extra = make(machine, run, rng)
    return healthy + extra * (db(rng.uniform(low, high)) * rms(healthy) / rms(extra))
