"""Simulated people who carry phones, and the sensor readings when the body part that carries the
phone moves.

World axes: x forward, y to the left, z up. Times in seconds, rates in Hz, accelerations in g (9.81
m/s²), angles in rad, angular rates in rad/s, lengths in m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

RATE_HZ, SAMPLES = 50, 128
OVERSAMPLED = 2
"""Factor of the computed rate over RATE_HZ; motion is computed finely and then averaged, since
landing feet are shorter than a sample.
"""
G_M_S2 = 9.81
STEPS_PER_G, STEPS_PER_RAD_S = 1024, 512
"""Grid of the sensors' readings; in 16 bits it gives ± 32 g and ± 64 rad/s, which no motion here
reaches.
"""


@dataclass(frozen=True)
class Spot:
    """A place where a phone is carried.

    Attributes:
        lies_rad: roll, pitch and yaw of a phone there while its carrier stands.
        lever_m: distance below the joint that swings it.
        swing: share of the swing of thigh and arm.
        damping: share of the body's acceleration that arrives.
        hangs: True on a thigh, which is level while sitting.
    """

    lies_rad: tuple[float, float, float]
    lever_m: float
    swing: float
    damping: float
    hangs: bool = False


SPOTS = {
    "trouser pocket": Spot((0.0, 1.57, 0.0), lever_m=0.18, swing=1.0, damping=1.0, hangs=True),
    "belt": Spot((0.0, 1.57, 1.57), lever_m=0.03, swing=0.20, damping=1.0),
    "jacket": Spot((0.3, 1.57, 0.0), lever_m=0.10, swing=0.18, damping=0.8),
    "hand": Spot((0.0, -0.6, 0.0), lever_m=0.35, swing=0.60, damping=0.85),
}


@dataclass(frozen=True)
class Person:
    """One person and the way they carry the phone.

    Attributes:
        step_hz: steps per second in relaxed walking.
        vigour: size of movements relative to the average.
        stiffness: hardness of landing feet relative to the average.
        asymmetry: relative difference between left and right.
        timing: a person's own phase of each harmonic, in turns, shape (3 axes, 4).
        lies: rotation from the body part to the phone, shape (3, 3).
        bias: offsets of accelerometer (g) and gyroscope (rad/s), shape (6,).
    """

    step_hz: float
    vigour: float
    stiffness: float
    asymmetry: float
    timing: Array
    spot: Spot
    lies: Array
    bias: Array


@dataclass(frozen=True)
class Motion:
    """Windows of motion, computed at OVERSAMPLED × RATE_HZ.

    Attributes:
        pushed_g: acceleration of the body part's joint in the world, shape (windows, samples, 3).
        turned_rad: roll, pitch and yaw of the body part, same shape; a positive pitch leans
            forward.
    """

    pushed_g: Array
    turned_rad: Array


def person(seed: int, number: int) -> Person:
    """Draw a random person."""
    rng = np.random.default_rng([seed, number])
    spot = list(SPOTS.values())[number % len(SPOTS)]
    return Person(
        step_hz=float(rng.normal(1.85, 0.13)),
        vigour=float(np.exp(rng.normal(0, 0.17))),
        stiffness=float(np.exp(rng.normal(0, 0.25))),
        asymmetry=float(np.abs(rng.normal(0, 0.08))),
        timing=rng.normal(0, 0.07, (3, 4)),
        spot=spot,
        lies=_lies(spot, rng),
        bias=rng.normal(0, [0.01] * 3 + [0.02] * 3),
    )


def _lies(spot: Spot, rng: Generator) -> Array:
    """Return a random rotation of the phone: any side up, screen in or out, and some degrees
    off.
    """
    quarters, off = rng.integers(0, 4), rng.normal(0, 0.25, 3)
    upside = rotations(np.array([np.pi * rng.integers(0, 2), 0.0, np.pi / 2 * quarters]))
    turned: Array = rotations(np.array(spot.lies_rad) + off) @ upside
    return turned


def rotations(angles_rad: Array) -> Array:
    """Return matrices that rotate by roll, then pitch, then yaw, (…, 3) -> (…, 3, 3)."""
    (cr, cp, cy), (sr, sp, sy) = (
        np.moveaxis(np.cos(angles_rad), -1, 0),
        np.moveaxis(np.sin(angles_rad), -1, 0),
    )
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def times_s() -> Array:
    """Return the time of each computed sample, shape (OVERSAMPLED × SAMPLES,)."""
    return np.arange(OVERSAMPLED * SAMPLES) / (OVERSAMPLED * RATE_HZ)


def felt(motion: Motion, person: Person, rng: Generator) -> Array:
    """Return the sensor readings: accelerometer and gyroscope in steps of their grid, (windows,
    SAMPLES, 6) int16.
    """
    part = rotations(motion.turned_rad)
    force = (
        motion.pushed_g * person.spot.damping
        + _swung_g(part, person.spot.lever_m)
        + np.array([0.0, 0.0, 1.0])
    )
    slipped = rotations(rng.normal(0, 0.12, (len(force), 1, 3)))
    phone = part @ (person.lies @ slipped)
    acceleration = np.einsum("nti,ntij->ntj", force, phone)
    rate = np.einsum("nti,ntij->ntj", _rates(motion.turned_rad), person.lies @ slipped)
    true = np.concatenate([acceleration, rate], axis=2)
    sampled = true.reshape(len(true), SAMPLES, OVERSAMPLED, 6).mean(axis=2)
    noise = rng.standard_normal(sampled.shape) * np.array([0.006] * 3 + [0.008] * 3)
    grid = np.array([STEPS_PER_G] * 3 + [STEPS_PER_RAD_S] * 3)
    steps: Array = np.rint((sampled + person.bias + noise) * grid).astype(np.int16)
    return steps


def _swung_g(part: Array, lever_m: float) -> Array:
    """Return the acceleration of a point lever_m below the joint: (windows, samples, 3, 3) ->
    (windows, samples, 3).
    """
    place = -lever_m * part[..., 2]
    step_s = 1 / (OVERSAMPLED * RATE_HZ)
    speed = np.gradient(place, step_s, axis=1)
    return np.asarray(np.gradient(speed, step_s, axis=1)) / G_M_S2


def _rates(turned_rad: Array) -> Array:
    """Return angular rates about the body part's own axes from its roll, pitch and yaw (Euler's
    kinematic equations).
    """
    roll, pitch = turned_rad[..., 0], turned_rad[..., 1]
    d = np.gradient(turned_rad, 1 / (OVERSAMPLED * RATE_HZ), axis=1)
    return np.stack(
        [
            d[..., 0] - d[..., 2] * np.sin(pitch),
            d[..., 1] * np.cos(roll) + d[..., 2] * np.sin(roll) * np.cos(pitch),
            d[..., 2] * np.cos(roll) * np.cos(pitch) - d[..., 1] * np.sin(roll),
        ],
        axis=-1,
    )
