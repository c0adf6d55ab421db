"""Simulated movements: splits that share no person, and signals that have the physics they
claim.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.datasets import _motion_body as body
from lab.datasets import motion
from lab.datasets._motion_activities import ACTIVITIES, Motion, cycles, rumble

Floats = NDArray[np.float64]
ORDER = tuple(ACTIVITIES)


def of(activity: str, split: int = 7, number: int = 0) -> Floats:
    """One person's windows of an activity in g and rad/s, (windows, samples, 6)."""
    person, rng = body.person(split, number), np.random.default_rng([split, number, 99])
    return body.felt(ACTIVITIES[activity](person, 20, rng), person, rng) / (
        [1024.0] * 3 + [512.0] * 3
    )


def vertical(x: Floats) -> Floats:
    """Acceleration along gravity as a person's mean acceleration shows it: the phone need not know
    how it lies.
    """
    gravity = x[..., :3].mean(axis=(0, 1))
    return np.asarray(x[..., :3] @ (gravity / np.linalg.norm(gravity)))


def spectrum(signal: Floats) -> tuple[Floats, Floats]:
    """Mean amplitude over windows, padded to a fine grid of frequencies in Hz."""
    centred = (signal - signal.mean(axis=1, keepdims=True)) * np.hanning(signal.shape[1])
    return np.fft.rfftfreq(4096, 1 / 50), np.abs(np.fft.rfft(centred, 4096)).mean(axis=0)


def strongest_hz(signal: Floats, low: float, high: float) -> float:
    frequency, level = spectrum(signal)
    inside = (frequency > low) & (frequency < high)
    return float(frequency[inside][level[inside].argmax()])


def still(n: int = 3) -> Motion:
    return Motion(
        np.zeros((n, body.OVERSAMPLED * body.SAMPLES, 3)),
        np.zeros((n, body.OVERSAMPLED * body.SAMPLES, 3)),
    )


def test_preview_is_the_head_of_the_test_set() -> None:
    x, y = motion.preview(100)
    again, labels = motion.preview(9)
    assert x.shape == (100, body.SAMPLES, 6)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:9], again)
    np.testing.assert_array_equal(y[:9], labels)
    assert labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0]


def test_the_test_set_begins_with_its_preview_and_its_classes_are_even() -> None:
    splits, (x, y) = motion.load(), motion.preview(20)
    np.testing.assert_array_equal(splits.x_test[:20], x)
    np.testing.assert_array_equal(splits.y_test[:20], y)
    assert set(np.bincount(splits.y_test)) == {300}
    assert set(np.bincount(splits.y_calibration)) == {64}


def test_no_person_is_in_two_splits() -> None:
    splits = (motion.TRAIN, motion.CALIBRATION, motion.TEST)
    people = [body.person(s, n) for s in splits for n in range(motion.PEOPLE[s])]
    assert len({(p.step_hz, p.vigour, p.lies.tobytes()) for p in people}) == len(people)


def test_numbers_are_on_the_sensors_grid_and_in_their_range() -> None:
    x, _ = motion.preview(80)
    steps = x * np.array([1024] * 3 + [512] * 3, dtype=np.float32)
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert np.abs(x[..., :3]).max() < 16, "a phone's widest range in g"
    assert np.abs(x[..., 3:]).max() < np.radians(2000), "and in angular rate"


@pytest.mark.parametrize("number", range(4))
def test_who_rests_feels_gravity_alone(number: int) -> None:
    x = of("resting", number=number)
    assert np.linalg.norm(x[..., :3], axis=2).mean() == pytest.approx(1, abs=0.03)
    assert np.linalg.norm(x[..., :3], axis=2).std() < 0.03


@pytest.mark.parametrize("number", range(1, 12, 4))
def test_walking_bobs_at_the_step_rate_and_sways_at_the_stride(number: int) -> None:
    """Of people who carry the phone on the belt: elsewhere the swing of a limb is as strong."""
    x, step_hz = of("walking", number=number), body.person(7, number).step_hz
    assert strongest_hz(vertical(x), 0.5, 5) == pytest.approx(step_hz, rel=0.08)
    swing = x[..., 3:] @ np.linalg.svd(x[..., 3:].reshape(-1, 3), full_matrices=False)[2][0]
    assert strongest_hz(swing, 0.5, 5) == pytest.approx(step_hz / 2, rel=0.12)


@pytest.mark.parametrize("number", range(1, 12, 4))
def test_running_is_faster_and_flies(number: int) -> None:
    run, walk = of("running", number=number), of("walking", number=number)
    assert strongest_hz(vertical(run), 1, 5) > 1.25 * strongest_hz(vertical(walk), 1, 5)
    assert np.quantile(np.linalg.norm(run[..., :3], axis=2), 0.02) < 0.35, (
        "nothing is felt in flight"
    )
    assert np.quantile(np.linalg.norm(walk[..., :3], axis=2), 0.02) > 0.5


@pytest.mark.parametrize("number", range(0, 12, 4))
def test_a_pocket_swings_with_the_thigh(number: int) -> None:
    """±0.36 rad at the stride rate is an angular rate with an RMS near 0.36 × 2π × 0.93 / √2."""
    person, x = body.person(7, number), of("walking", number=number)
    rms = np.sqrt((x[..., 3:] ** 2).sum(axis=2).mean())
    expected = 0.36 * np.sqrt(person.vigour) * np.pi * person.step_hz / np.sqrt(2)
    assert rms == pytest.approx(expected, rel=0.3)


def test_jumping_has_no_stride() -> None:
    jump, run = of("jumping", number=1), of("running", number=1)

    def at_half(x: Floats) -> float:
        rate = strongest_hz(vertical(x), 1, 5)
        frequency, level = spectrum(
            x[..., :3].reshape(20, 128, 3).transpose(0, 2, 1).reshape(60, 128)
        )
        return float(
            level[np.abs(frequency - rate / 2).argmin()] / level[np.abs(frequency - rate).argmin()]
        )

    assert at_half(run) > 1.5 * at_half(jump)


def test_driving_shakes_more_than_resting_and_less_than_cycling() -> None:
    shaken = [
        vertical(of(activity, number=2)).std(axis=1).mean()
        for activity in ("resting", "driving", "cycling")
    ]
    assert shaken[0] < shaken[1] < shaken[2]


def test_a_phone_that_does_not_move_feels_one_g_straight_up_whichever_way_it_lies() -> None:
    for number in range(8):
        person = body.person(7, number)
        x = (
            body.felt(still(), person, np.random.default_rng(0)) / ([1024.0] * 3 + [512.0] * 3)
            - person.bias
        )
        assert np.linalg.norm(x[..., :3].mean(axis=1), axis=1) == pytest.approx(1, abs=0.01)
        assert np.abs(x[..., 3:].mean(axis=1)) == pytest.approx(0, abs=0.01)


def test_rotations_turn_by_the_right_hand() -> None:
    quarter = np.pi / 2
    roll, pitch, yaw = (body.rotations(np.eye(3)[axis] * quarter) for axis in range(3))
    np.testing.assert_allclose(roll @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(pitch @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(yaw @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    any_ = body.rotations(np.array([0.3, -1.1, 2.0]))
    np.testing.assert_allclose(any_ @ any_.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(any_, yaw_pitch_roll(0.3, -1.1, 2.0), atol=1e-12)


def yaw_pitch_roll(roll: float, pitch: float, yaw: float) -> Floats:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix())


def test_angular_rates_are_those_of_the_rotation() -> None:
    """Against the logarithm of the rotation from one sample to the next."""
    from scipy.spatial.transform import Rotation

    t = body.times_s()
    turned = np.stack([0.4 * np.sin(5 * t), 0.8 * np.cos(3 * t), 0.6 * t], axis=1)[None]
    turn = Rotation.from_matrix(body.rotations(turned)[0])
    expected = (turn[:-1].inv() * turn[1:]).as_rotvec() * body.OVERSAMPLED * body.RATE_HZ
    found = body._rates(turned)[0]
    np.testing.assert_allclose(((found[1:] + found[:-1]) / 2)[2:-2], expected[2:-2], atol=0.02)


def test_what_hangs_on_a_lever_is_pulled_outwards() -> None:
    """A steady turn of 4 rad/s at 0.5 m is 8 m/s² towards the axis."""
    turned = np.zeros((1, body.OVERSAMPLED * body.SAMPLES, 3))
    turned[0, :, 1] = 4 * body.times_s()
    pulled = body._swung_g(body.rotations(turned), 0.5)[0, 5:-5]
    np.testing.assert_allclose(np.linalg.norm(pulled, axis=1) * 9.81, 8, rtol=0.01)


def test_a_rumble_has_its_band_and_unit_size() -> None:
    shaken = rumble(200, 2, 8, np.random.default_rng(1))
    assert shaken.std() == pytest.approx(1, abs=0.03)
    level = (np.abs(np.fft.rfft(shaken, axis=1)) ** 2).mean(axis=(0, 2))
    frequency = np.fft.rfftfreq(shaken.shape[1], 1 / (body.OVERSAMPLED * body.RATE_HZ))
    assert 2 < frequency[level.argmax()] < 8
    assert level[(frequency > 1.5) & (frequency < 11)].sum() > 0.95 * level.sum()


def test_a_rhythm_keeps_its_rate() -> None:
    phase = cycles(np.full(50, 2.0), 0.03, np.random.default_rng(2))
    assert (phase[:, -1] - phase[:, 0]).mean() == pytest.approx(2 * 2.55, abs=0.1)
    assert (np.diff(phase, axis=1) > 0).all()
