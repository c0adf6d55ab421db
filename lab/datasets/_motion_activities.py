"""Eight human activities, as motions of the body part that carries the phone.

The magnitudes for gait follow D. A. Winter, Biomechanics and Motor Control of Human Movement (Wiley
2009): the body bobs by some centimetres at the step rate, sways at half of it, and gets an impact
from below when a foot lands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.datasets._motion_body import OVERSAMPLED, RATE_HZ, Motion, Person, times_s
from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

STRIDE_FROM_STEP = 0.5
THIGH_OF_SITTER_RAD = -1.35
"""Pitch of a sitting person's thigh relative to standing."""


@dataclass(frozen=True)
class Gait:
    """A way of going on foot, before personal traits.

    Attributes:
        cadence: step rate relative to the person's relaxed walking.
        bounce_g: vertical acceleration at 1, 2, … times the step rate.
        ahead_g: forward acceleration at 1, 2, … times the step rate.
        sideways_g: sideways acceleration at 1, 3, 5 times the stride rate.
        strike_g: height of the impact of a landing foot.
        swing_rad: amplitude of the swing of thigh and arm.
        lean_rad: forward lean of the trunk.
        late: delay of the forward push relative to walking, in steps: climbing lifts first,
            descending falls first.
    """

    cadence: float
    bounce_g: tuple[float, ...]
    ahead_g: tuple[float, ...]
    sideways_g: tuple[float, ...]
    strike_g: float
    swing_rad: float
    lean_rad: float
    late: float = 0.0


WALKING = Gait(
    1.0, (0.25, 0.10, 0.05, 0.02), (0.13, 0.06, 0.03), (0.09, 0.03, 0.02), 0.24, 0.36, 0.03
)
RUNNING = Gait(
    1.45, (1.05, 0.28, 0.10, 0.04), (0.28, 0.12, 0.05), (0.22, 0.08, 0.05), 0.75, 0.55, 0.12
)
STAIRS_UP = Gait(
    0.85, (0.24, 0.06, 0.02, 0.01), (0.09, 0.08, 0.03), (0.12, 0.03, 0.02), 0.10, 0.48, 0.18, 0.12
)
STAIRS_DOWN = Gait(
    1.01, (0.26, 0.16, 0.10, 0.05), (0.08, 0.08, 0.05), (0.09, 0.05, 0.04), 0.50, 0.23, -0.05, -0.12
)


# --- parts of movements ---------------------------------------------------------------------------


def cycles(rate_hz: Array, unevenness: float, rng: Generator) -> Array:
    """Return the phase in turns of slightly uneven rhythms with random start, (windows,) ->
    (windows, samples).
    """
    n, t = len(rate_hz), times_s()
    uneven = rng.normal(0, unevenness, (n, 1)) * np.sin(2 * np.pi * (0.4 * t + rng.random((n, 1))))
    return np.asarray(rng.random((n, 1)) + rate_hz[:, None] * t + uneven)


def harmonics(
    phase: Array,
    amplitudes: tuple[float, ...],
    timing: Array,
    orders: tuple[int, ...] = (1, 2, 3, 4),
) -> Array:
    """Return the sum of sines at multiples of a rhythm, (windows, samples) in turns -> the same
    shape.
    """
    terms = zip(amplitudes, orders, timing, strict=False)
    return np.asarray(
        sum(a * np.sin(2 * np.pi * (order * phase + offset)) for a, order, offset in terms)
    )


def impacts(phase: Array, width: float) -> Array:
    """Return a bump of height 1 at each whole turn, `width` turns wide (standard deviation)."""
    return np.asarray(np.exp(-0.5 * ((phase - np.rint(phase)) / width) ** 2))


def rumble(n: int, low_hz: float, high_hz: float, rng: Generator) -> Array:
    """Return random vibration of three axes between two frequencies, RMS about 1, shape (windows,
    samples, 3).
    """
    samples = len(times_s())
    frequency = np.fft.rfftfreq(samples, 1 / (OVERSAMPLED * RATE_HZ))
    centre, width = np.log2(low_hz * high_hz) / 2, np.log2(high_hz / low_hz) / 3
    band = np.exp(-0.5 * ((np.log2(np.maximum(frequency, 1e-3)) - centre) / width) ** 2)
    noise = rng.standard_normal((2, n, len(frequency), 3))
    signal = np.fft.irfft((noise[0] + 1j * noise[1]) * band[:, None], samples, axis=1)
    return np.asarray(signal * samples / np.sqrt(4 * (band**2).sum()))


def around(middle: float, spread: float, n: int, rng: Generator) -> Array:
    """Return positive numbers around a middle, spread by a share, shape (n, 1): one for each
    window.
    """
    return np.asarray(middle * np.exp(rng.normal(0, spread, (n, 1))))


def _axes(x: Array, y: Array, z: Array) -> Array:
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1)


def _still(n: int) -> Array:
    return np.zeros((n, len(times_s())))


# --- activities -----------------------------------------------------------------------------------


def on_foot(gait: Gait, person: Person, n: int, rng: Generator) -> Motion:
    """Return walking in all its forms: rhythms of the step, and of the stride, which is two
    steps.
    """
    pace = rng.normal(1, 0.06, n)
    step = cycles(person.step_hz * gait.cadence * pace, 0.03, rng)
    stride = step * STRIDE_FROM_STEP
    size = around(person.vigour, 0.12, n, rng) * (pace[:, None] ** 2)
    limp = 1 + person.asymmetry * np.cos(2 * np.pi * stride)
    landing = impacts(step, 0.045) * around(gait.strike_g * person.stiffness, 0.15, n, rng)
    up = (harmonics(step, gait.bounce_g, person.timing[2]) * size + landing) * limp
    ahead = harmonics(step, gait.ahead_g, person.timing[0] + 0.25 - gait.late) * size * limp
    side = harmonics(stride, gait.sideways_g, person.timing[1], (1, 3, 5)) * size
    pushed = _axes(ahead, side, np.maximum(up, -1.0)) + 0.02 * rumble(n, 2, 15, rng)
    return Motion(
        pushed, _gait_turns(gait, person, stride, size, rng) + 0.006 * rumble(n, 1, 6, rng)
    )


def _gait_turns(gait: Gait, person: Person, stride: Array, size: Array, rng: Generator) -> Array:
    """Return roll and yaw of the hips, and the swing of leg or arm about its lean."""
    n, swing = len(stride), person.spot.swing * gait.swing_rad * np.sqrt(size)
    pitch = swing * harmonics(stride, (1.0, 0.22, 0.06), person.timing[1] + 0.1)
    bent = -0.5 * swing if person.spot.hangs else gait.lean_rad
    return _axes(
        0.05 * size * np.sin(2 * np.pi * stride),
        pitch + bent + rng.normal(0, 0.06, (n, 1)),
        0.08 * size * np.cos(2 * np.pi * (stride + person.timing[0, 3])),
    )


def walking(person: Person, n: int, rng: Generator) -> Motion:
    """Return walking on level ground."""
    return on_foot(WALKING, person, n, rng)


def running(person: Person, n: int, rng: Generator) -> Motion:
    """Return running: faster, with a flight between steps during which the sensors read zero."""
    return on_foot(RUNNING, person, n, rng)


def stairs_up(person: Person, n: int, rng: Generator) -> Motion:
    """Return climbing stairs: slower, softer, with high knees."""
    return on_foot(STAIRS_UP, person, n, rng)


def stairs_down(person: Person, n: int, rng: Generator) -> Motion:
    """Return descending stairs: small swings and hard landings."""
    return on_foot(STAIRS_DOWN, person, n, rng)


def jumping(person: Person, n: int, rng: Generator) -> Motion:
    """Return rope skipping: both feet land together, so that there is no stride rhythm."""
    jump = cycles(rng.normal(1.12, 0.07, n) * person.step_hz, 0.03, rng)
    size = around(person.vigour, 0.15, n, rng)
    landing = impacts(jump, 0.05) * around(0.8 * person.stiffness, 0.2, n, rng)
    up = harmonics(jump, (1.25, 0.35, 0.12), person.timing[2]) * size + landing
    ahead, side = (harmonics(jump, (0.12, 0.05), person.timing[i]) * size for i in (0, 1))
    bob = 0.25 * person.spot.swing * harmonics(jump, (1.0, 0.3), person.timing[1]) * size
    turned = _axes(_still(n), bob + rng.normal(0, 0.06, (n, 1)), _still(n)) + 0.02 * rumble(
        n, 0.5, 4, rng
    )
    return Motion(_axes(ahead, side, np.maximum(up, -1.0)) + 0.05 * rumble(n, 2, 15, rng), turned)


def cycling(person: Person, n: int, rng: Generator) -> Motion:
    """Return cycling: thighs turn with the pedals, the road shakes; sometimes the bicycle
    coasts.
    """
    pedal = cycles(rng.normal(0.7, 0.08, n) * person.step_hz, 0.03, rng)
    pedalling = np.where(rng.random((n, 1)) < 0.8, around(person.vigour, 0.2, n, rng), 0.0)
    road = around(0.07, 0.5, n, rng)[..., None] * np.array([0.6, 0.6, 1.0]) * rumble(n, 4, 18, rng)
    sway = pedalling[..., None] * _axes(
        0.04 * np.sin(4 * np.pi * pedal),
        0.06 * np.sin(2 * np.pi * pedal),
        0.03 * np.sin(4 * np.pi * pedal + 1),
    )
    push = 0.42 if person.spot.hangs else 0.05
    thigh = -0.85 if person.spot.hangs else 0.5
    turned = _axes(
        0.06 * pedalling * np.sin(2 * np.pi * pedal),
        thigh + push * pedalling * np.sin(2 * np.pi * pedal) + rng.normal(0, 0.12, (n, 1)),
        _still(n),
    )
    return Motion(road + sway, turned + 0.03 * rumble(n, 0.3, 3, rng))


def driving(person: Person, n: int, rng: Generator) -> Motion:
    """Return driving in a car: the body bounces on its springs, the wheels on theirs; bends, brakes
    and red lights.
    """
    rolling = np.where(rng.random((n, 1, 1)) < 0.85, around(1.0, 0.5, n, rng)[..., None], 0.1)
    springs = np.array([0.4, 0.6, 1.0]) * (
        0.030 * rumble(n, 1.0, 2.2, rng) + 0.025 * rumble(n, 8, 16, rng)
    )
    bends = np.array([0.06, 0.07, 0.0]) * rumble(n, 0.03, 0.3, rng)
    course = np.array([0.0, 0.0, 0.10]) * rumble(n, 0.03, 0.3, rng)
    return Motion(
        rolling * (springs + bends),
        _seated(person, n, rng) + rolling * (course + 0.012 * rumble(n, 1, 3, rng)),
    )


def resting(person: Person, n: int, rng: Generator) -> Motion:
    """Return sitting, standing or lying: breath, and a small movement now and then."""
    fidget = np.where(rng.random((n, 1, 1)) < 0.3, around(1.0, 0.6, n, rng)[..., None], 0.15)
    breath = 0.012 * np.sin(2 * np.pi * cycles(rng.normal(0.27, 0.04, n), 0.02, rng))
    turned = (
        _seated(person, n, rng)
        + _axes(_still(n), breath, _still(n))
        + fidget * 0.03 * rumble(n, 0.1, 0.8, rng)
    )
    return Motion(fidget * 0.010 * rumble(n, 0.5, 5, rng), turned)


def _seated(person: Person, n: int, rng: Generator) -> Array:
    """Return the posture of sitting people: thighs level, trunks leaning back by some degrees,
    (windows, 1, 3).
    """
    pitch = THIGH_OF_SITTER_RAD if person.spot.hangs else -0.2
    posture: Array = np.array([0.0, pitch, 0.0]) + rng.normal(0, 0.18, (n, 1, 3))
    return posture


ACTIVITIES: dict[str, Callable[[Person, int, Generator], Motion]] = {
    "resting": resting,
    "walking": walking,
    "running": running,
    "stairs up": stairs_up,
    "stairs down": stairs_down,
    "cycling": cycling,
    "jumping": jumping,
    "driving": driving,
}
"""Name -> function (person, windows, generator) -> Motion, in the order of the class indices."""
