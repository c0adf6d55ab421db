"""Sounds of a simulated blower, healthy and with eight faults, for anomaly detection.

The setup follows unsupervised machine condition monitoring in DCASE 2020 task 2 and MLPerf Tiny:
training has normal sounds only. MLPerf Tiny cuts a clip of 10 s into windows of 5 short frames by
128 log-mel bins, scores each and averages the scores; here an item is one clip of 0.7 s, condensed
into 5 long frames of 128 log-mel bins, so that one input gives one score with the same network. It
is harder in one respect: machines and places of the test set occur in no other split.
"""

from __future__ import annotations

from functools import cache

from lab.datasets import _machine_faults as faults
from lab.datasets import _machine_sound as simulation
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits

FRAMES, MELS = 5, 128
WINDOW, HOP = 2048, 1024
"""Samples of a window and of the step to the next; a frame is the mean power of WINDOWS_PER_FRAME
windows.
"""
WINDOWS_PER_FRAME = ((simulation.SAMPLES - WINDOW) // HOP + 1) // FRAMES
STEP_DB = 0.25
"""Grid of the levels: coarse, so that rounding differences between CPUs never show."""
CENTRE_DB, UNIT_DB = {0: 6, 32: 6, 64: 0, 96: -6, 127: -15}, 4
"""Level that becomes 0, at some mel bins, and difference that becomes 1: the network's input has
about unit variance. Fixed numbers, not statistics of a split.
"""

TRAIN, CALIBRATION, TEST = 11, 12, 13
"""Seeds: each split has its own machines, places and clips."""
ITEMS = {TRAIN: 10_000, CALIBRATION: 512, TEST: 2_000}
MACHINES = {TRAIN: 120, CALIBRATION: 24, TEST: 40}
"""Number of machines, and of places, in each split."""
NORMAL, ANOMALOUS = 0, 1


def load() -> Splits:
    """Simulate 512 normal clips for calibration and 2 000 for the test, x of shape (items, FRAMES ×
    MELS), float32.
    """
    return Splits(*_items(CALIBRATION, ITEMS[CALIBRATION]), *preview(ITEMS[TEST]))


def training() -> tuple[Array, Array]:
    """Simulate the training set: 10 000 normal clips."""
    return _items(TRAIN, ITEMS[TRAIN])


def preview(n: int) -> tuple[Array, Array]:
    """Return the first n test items: normal and anomalous in turn, faults in turn."""
    return _items(TEST, n)


def fault_of(split: int, item: int) -> str | None:
    """Return the name of an item's fault, or None; every other test item has one, each fault
    equally often.
    """
    names = tuple(faults.FAULTS)
    return names[item // 2 % len(names)] if split == TEST and item % 2 else None


def _items(split: int, n: int) -> tuple[Array, Array]:
    labels = np.array(
        [NORMAL if fault_of(split, i) is None else ANOMALOUS for i in range(n)], dtype=np.int64
    )
    steps = np.stack([features(clip(split, i)) for i in range(n)])
    return steps.astype(np.float32) * np.float32(STEP_DB / UNIT_DB), labels


def clip(split: int, item: int) -> Array:
    """Return the recording of an item: samples at 16 kHz, shape (SAMPLES,), 0.7 s."""
    rng = np.random.default_rng([split, item])
    machine = simulation.machine(split, int(rng.integers(MACHINES[split])))
    place = simulation.place(split, int(rng.integers(MACHINES[split])))
    run = simulation.run(machine, rng)
    sound = simulation.sound(machine, run, rng)
    if (fault := fault_of(split, item)) is not None:
        sound = faults.faulty(sound, fault, machine, run, rng)
    return simulation.recorded(sound, place, rng)


def features(samples: Array) -> Array:
    """Return log-mel levels around CENTRE_DB in steps of STEP_DB, (SAMPLES,) -> (FRAMES × MELS,)
    int16, frame by frame.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * _taper()
    power = np.abs(np.fft.rfft(windows)) ** 2
    frames = power.reshape(FRAMES, WINDOWS_PER_FRAME, -1).mean(axis=1) @ mel_filters().T
    levels_db: Array = 10 * np.log10(frames + 1e-9) - _centre_db()
    return np.rint(levels_db / STEP_DB).astype(np.int16).reshape(FRAMES * MELS)


@cache
def _centre_db() -> Array:
    """Return CENTRE_DB at every mel bin, shape (MELS,)."""
    return np.interp(np.arange(MELS), list(CENTRE_DB), list(CENTRE_DB.values()))


@cache
def _taper() -> Array:
    """Return a Hann window of unit power."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    unit: Array = hann / np.sqrt((hann**2).sum())
    return unit


@cache
def mel_filters() -> Array:
    """Return triangles of equal width in mel (O'Shaughnessy 1987), 0 to 8 kHz, shape (MELS, WINDOW
    // 2 + 1).
    """
    top = 2595 * np.log10(1 + simulation.RATE_HZ / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, MELS + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(WINDOW, 1 / simulation.RATE_HZ)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


DATASET = Dataset(
    id="machine",
    title="Machine sounds, normal and faulty",
    task="anomaly_detection",
    load=load,
    digest="e2e03aac386f4c8179f9384fd1d40cfee532d086050db5149fdb00488385c188",
    training=training,
    training_digest="3fd02f4640997d93c5fce51caf8a70cbb27857641e6b27a647ec47835ce2e47a",
    preview=preview,
    class_names=("normal", "anomalous"),
    provenance=(
        "Simulated here (lab/datasets/_machine_sound.py, _machine_faults.py): a blower's shaft,"
        " blade, gear, hum and flow sounds under varying load, recorded in rooms with factory"
        " noise; anomalous ones have one of eight faults, from hardly audible to plain. Machines"
        " and places differ between the splits; training and calibration are normal only. The"
        " set-up follows DCASE 2020 task 2 (Y. Koizumi et al., DCASE Workshop 2020) and the anomaly"
        " detection of MLPerf Tiny (C. Banbury et al., NeurIPS Datasets and Benchmarks 2021), with"
        " features of the same shape: 5 frames of 128 log-mel bins."
    ),
    licence="MIT",
    test_items=2_000,
    show="spectrogram",
    show_shape=(FRAMES, MELS),
    tags=("sound", "simulated"),
)
