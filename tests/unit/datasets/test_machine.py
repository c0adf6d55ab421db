"""The simulated machine: splits that share nothing, and sounds that have the physics they claim."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.datasets import _machine_faults as faults
from lab.datasets import _machine_sound as simulation
from lab.datasets import machine

TESTED = 32
FAULTS = tuple(faults.FAULTS)


def a_run(number: int = 0) -> tuple[simulation.Machine, simulation.Run, np.random.Generator]:
    rng = np.random.default_rng([7, number])
    one = simulation.machine(7, number)
    return one, simulation.run(one, rng), rng


def samples(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.fft.irfft(spectrum, simulation.SAMPLES)


def turns_per_s(run: simulation.Run) -> float:
    return float(np.diff(run.angle).mean() * simulation.RATE_HZ)


def orders(
    signal: NDArray[np.float64], run: simulation.Run
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Order tracking: the signal read at even steps of the shaft's angle, its spectrum over
    multiples of the speed.
    """
    even = np.linspace(run.angle[0], run.angle[-1], len(signal))
    level = np.abs(np.fft.rfft(np.interp(even, run.angle, signal) * np.hanning(len(signal))))
    return np.fft.rfftfreq(len(signal), even[1] - even[0]), level


def strongest(
    order: NDArray[np.float64], level: NDArray[np.float64], low: float, high: float
) -> float:
    inside = (order > low) & (order < high)
    return float(order[inside][level[inside].argmax()])


def test_preview_is_the_head_of_the_test_set() -> None:
    x, y = machine.preview(6)
    again, labels = machine.preview(3)
    assert x.shape == (6, machine.FRAMES * machine.MELS)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:3], again)
    np.testing.assert_array_equal(y[:3], labels)


def test_half_of_the_test_set_is_faulty_each_fault_as_often() -> None:
    n = machine.ITEMS[machine.TEST]
    found = [machine.fault_of(machine.TEST, i) for i in range(n)]
    assert found.count(None) == n // 2
    assert {found.count(name) for name in FAULTS} == {n // 2 // len(FAULTS)}
    assert machine.preview(4)[1].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("split", [machine.TRAIN, machine.CALIBRATION])
def test_nothing_faulty_is_learnt(split: int) -> None:
    assert all(machine.fault_of(split, i) is None for i in range(machine.ITEMS[split]))


def test_no_machine_and_no_place_is_in_two_splits() -> None:
    splits = (machine.TRAIN, machine.CALIBRATION, machine.TEST)
    made = [simulation.machine(s, n) for s in splits for n in range(5)]
    assert len({m.turn.tobytes() for m in made}) == len(made)
    places = [simulation.place(s, n) for s in splits for n in range(5)]
    assert len({p.response.tobytes() for p in places}) == len(places)


def test_levels_are_on_the_grid_and_about_unit_variance() -> None:
    x, y = machine.preview(TESTED)
    steps = x * machine.UNIT_DB / machine.STEP_DB
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert abs(x[y == machine.NORMAL].mean()) < 0.3
    assert 0.7 < x[y == machine.NORMAL].std() < 1.4


def test_a_tone_is_loudest_where_the_mel_scale_has_it() -> None:
    tone = np.sin(2 * np.pi * 1000 * simulation.time_s())
    frames = machine.features(tone).reshape(machine.FRAMES, machine.MELS)
    top_mel = 1127.01048 * np.log(1 + 8000 / 700)
    expected = 1127.01048 * np.log(1 + 1000 / 700) / top_mel * (machine.MELS + 1) - 1
    assert np.abs(frames.argmax(axis=1) - expected).max() <= 1
    louder = machine.features(10 * tone).reshape(machine.FRAMES, machine.MELS)
    assert ((louder - frames)[:, round(expected)] * machine.STEP_DB).tolist() == [
        20.0
    ] * machine.FRAMES


def test_speed_yields_to_the_load() -> None:
    runs = [a_run(number)[1] for number in range(30)]
    speeds, loads = [turns_per_s(r) for r in runs], [r.load for r in runs]
    assert np.corrcoef(loads, speeds)[0, 1] < -0.8
    assert 23 < min(speeds) < max(speeds) < 25.5, "a four-pole motor at 50 Hz"
    assert all((np.diff(r.angle) > 0).all() for r in runs)


def test_a_healthy_machine_sings_at_its_orders_and_hums_at_twice_the_mains() -> None:
    one, run, rng = a_run()
    heard = samples(simulation.sound(one, run, rng))
    order, level = orders(heard, run)
    assert strongest(order, level, 0.6, 1.4) == pytest.approx(1, abs=0.1)
    assert strongest(order, level, 6.4, 7.6) == pytest.approx(simulation.BLADES, abs=0.1)
    assert strongest(order, level, 29.5, 32.5) == pytest.approx(simulation.TEETH, abs=0.1)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    around_hum = slice(round(90 * 0.704), round(110 * 0.704))
    assert (around_hum.start + spectrum[around_hum].argmax()) / 0.704 == pytest.approx(100, abs=1.5)


@pytest.mark.parametrize(
    ("fault", "rate"), [("outer race", 3.5848), ("inner race", 5.4152), ("chipped tooth", 1.0)]
)
def test_impacts_come_at_the_rate_of_the_fault(fault: str, rate: float) -> None:
    """Envelope analysis, as a vibration analyst does it: square, resample by angle, look for the
    line.
    """
    one, run, rng = a_run(3)
    signal = samples(faults.FAULTS[fault][0](one, run, rng))
    order, level = orders(signal**2 - (signal**2).mean(), run)
    assert strongest(order, level, 0.6 * rate, 1.4 * rate) == pytest.approx(rate, rel=0.03)


def test_defect_frequencies_follow_from_the_bearing_s_geometry() -> None:
    """SKF 6205: nine balls of 7.94 mm on a pitch circle of 39.04 mm, no contact angle."""
    ratio = 7.94 / 39.04
    assert pytest.approx(9 / 2 * (1 - ratio), rel=2e-3) == simulation.OUTER_RACE
    assert pytest.approx(9 / 2 * (1 + ratio), rel=2e-3) == simulation.INNER_RACE


def test_the_inner_ring_s_impacts_swell_with_the_shaft() -> None:
    def swell(fault: str) -> float:
        one, run, rng = a_run(5)
        signal = samples(faults.FAULTS[fault][0](one, run, rng))
        order, level = orders(signal**2, run)
        return float(level[np.abs(order - 1).argmin()] / level[0])

    assert swell("inner race") > 3 * swell("outer race")


def test_a_leak_hisses_and_an_imbalance_shakes() -> None:
    one, run, rng = a_run(6)
    frequency = simulation.frequency_hz()

    def centre_hz(fault: str) -> float:
        power = np.abs(faults.FAULTS[fault][0](one, run, rng)) ** 2
        return float((frequency * power).sum() / power.sum())

    assert centre_hz("leak") > 3000
    assert centre_hz("imbalance") < 3 * turns_per_s(run)


@pytest.mark.parametrize("fault", FAULTS)
def test_severity_stays_within_its_bounds(fault: str) -> None:
    one, run, rng = a_run(8)
    healthy = simulation.sound(one, run, rng)
    extra = faults.faulty(healthy, fault, one, run, rng) - healthy
    _, low, high = faults.FAULTS[fault]
    level_db = 20 * np.log10(samples(extra).std() / samples(healthy).std())
    assert low - 0.2 <= level_db <= high + 0.2


def test_a_factory_is_heard_around_the_machine_but_does_not_drown_it() -> None:
    ratios = []
    for number in range(20):
        one, run, rng = a_run(number)
        place, silence = simulation.place(7, number), np.zeros(simulation.SAMPLES // 2 + 1)
        machine_alone = samples(simulation.sound(one, run, rng) * place.response).std()
        ratios.append(20 * np.log10(machine_alone / simulation.recorded(silence, place, rng).std()))
    assert 3 < min(ratios) < max(ratios) < 25
