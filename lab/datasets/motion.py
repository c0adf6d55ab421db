"""Human activity recognition with a phone: simulated windows of accelerometer and gyroscope.

The setup follows D. Anguita et al., ESANN 2013 (128 samples of 6 axes at 50 Hz), with eight
activities. People are drawn from a body model; the people of the test set occur in no other split,
like new users.
"""

from __future__ import annotations

from lab.datasets import _motion_body as body
from lab.datasets._motion_activities import ACTIVITIES
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits

TRAIN, CALIBRATION, TEST = 21, 22, 23
"""Seeds: each split has its own people."""
PEOPLE = {TRAIN: 400, CALIBRATION: 16, TEST: 30}
WINDOWS = {TRAIN: 5, CALIBRATION: 4, TEST: 10}
"""Number of people in a split, and of windows per person and activity."""


def load() -> Splits:
    """Simulate 512 windows for calibration and 2 400 for the test, x of shape (items, 128, 6),
    float32.

    The first three values of a sample are acceleration in g, gravity included, the others angular
    rates in rad/s, all in the axes of the phone.
    """
    return Splits(*_people(CALIBRATION, PEOPLE[CALIBRATION]), *_people(TEST, PEOPLE[TEST]))


def training() -> tuple[Array, Array]:
    """Simulate the training set: 16 000 windows of 400 people."""
    return _people(TRAIN, PEOPLE[TRAIN])


def preview(n: int) -> tuple[Array, Array]:
    """Return the first n test items, activities in turn."""
    x, y = _people(TEST, -(-n // (WINDOWS[TEST] * len(ACTIVITIES))))
    return x[:n], y[:n]


def _people(split: int, n: int) -> tuple[Array, Array]:
    """Return the windows of a split's first n people, ordered by person, window, activity."""
    steps = np.concatenate([windows(split, number) for number in range(n)])
    grid = np.array([body.STEPS_PER_G] * 3 + [body.STEPS_PER_RAD_S] * 3, dtype=np.float32)
    labels = np.tile(np.arange(len(ACTIVITIES), dtype=np.int64), n * WINDOWS[split])
    return steps.astype(np.float32) / grid, labels


def windows(split: int, number: int) -> Array:
    """Return one person's windows in steps of the sensors' grid, (WINDOWS × activities, SAMPLES, 6)
    int16.
    """
    person, n = body.person(split, number), WINDOWS[split]
    sessions = []
    for label, activity in enumerate(ACTIVITIES.values()):
        rng = np.random.default_rng([split, number, label])
        sessions.append(body.felt(activity(person, n, rng), person, rng))
    return np.stack(sessions, axis=1).reshape(n * len(ACTIVITIES), body.SAMPLES, 6)


DATASET = Dataset(
    id="motion",
    title="Movements of a carried phone",
    task="classification",
    load=load,
    digest="d191597f2f030087af66547815bb609c3501f46e786033597fc782786fc00368",
    training=training,
    training_digest="117efc76c9c82eb75d4d9bf3be2fd533af24f12c40c80c36ac48a5b966cd82cd",
    preview=preview,
    class_names=tuple(ACTIVITIES),
    provenance=(
        "Simulated here (lab/datasets/_motion_body.py, _motion_activities.py): windows of 2.56"
        " s at 50 Hz of a phone in a trouser pocket, on a belt, in a jacket or in a hand, in any"
        " orientation. Each person has their own gait, way of carrying the phone and sensors;"
        " the people of the test set occur in no other split. The form follows D. Anguita et"
        " al., A Public Domain Dataset for Human Activity Recognition Using Smartphones (ESANN"
        " 2013)."
    ),
    licence="MIT",
    test_items=2_400,
    show="waveform",
    tags=("motion", "simulated"),
)
