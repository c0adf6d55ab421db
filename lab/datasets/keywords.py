"""Spoken words in twelve classes, for a device that waits for a command: MLPerf Tiny's keyword
spotting.

espeak-ng speaks, in voices that the splits do not share. The features of the calibration and test
items are shipped in keywords.npz; `python -m lab.datasets.keywords` makes that file again.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab.datasets import _espeak, _mfcc, _voices
from lab.datasets._acoustics import RATE_HZ, coloured, hum, in_room, unit
from lab.datasets._mfcc import as_stored, picture
from lab.errors import LabError
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits, arrays_digest

if TYPE_CHECKING:
    from numpy.random import Generator

SHIPPED = Path(__file__).with_name("keywords.npz")
CLASSES = (*_voices.COMMANDS, "unknown", "silence")
UNKNOWN, SILENCE = CLASSES.index("unknown"), CLASSES.index("silence")
SAMPLES = RATE_HZ
SEED = 20_260_801
SNR_DB = (0.0, 25.0)


@dataclass(frozen=True)
class Part:
    """One split.

    Attributes:
        number: number of the split, part of its seeds.
        turn: classes, in turn for successive items.
        takes: number of recordings of an utterance, each in another room with other noises.
    """

    number: int
    items: int
    cast: _voices.Cast
    takes: int = 1
    turn: tuple[int, ...] = tuple(range(len(CLASSES)))


TRAINING = Part(0, 15_120, _voices.TRAINING, takes=3, turn=(*range(len(CLASSES)), UNKNOWN, UNKNOWN))
CALIBRATION = Part(1, 512, _voices.CALIBRATION)
TEST = Part(2, 2_400, _voices.TEST)


def label(part: Part, item: int) -> int:
    """Return the class of an item."""
    return part.turn[item % len(part.turn)]


def utterance(part: Part, item: int) -> _espeak.Utterance:
    """Return the text and voice of an item that is not silent."""
    turn, place = divmod(item, len(part.turn))
    number = part.turn[place]
    rng = np.random.default_rng([SEED, part.number, 0, turn // part.takes, place])
    word = str(rng.choice(part.cast.others)) if number == UNKNOWN else CLASSES[number]
    accent, variant = str(rng.choice(part.cast.accents)), str(rng.choice(part.cast.variants))
    melody = str(rng.choice(("", "!", "?")))
    speed_wpm, pitch = int(rng.integers(110, 201)), int(rng.integers(15, 86))
    return _espeak.Utterance(
        _voices.spelling(word, accent) + melody, f"{accent}+{variant}", speed_wpm, pitch
    )


def clip(part: Part, item: int) -> Array:
    """Return one second of sound with a peak of 1, (SAMPLES,) float64."""
    rng = np.random.default_rng([SEED, part.number, 1, item])
    sound = _noise(part, rng)
    if label(part, item) != SILENCE:
        word = _spoken(part, item)
        softer_db = rng.uniform(*SNR_DB)
        loudness = np.sqrt((word**2).mean())
        sound = in_room(_placed(word, rng), rng) + loudness * 10 ** (-softer_db / 20) * sound
    scaled: Array = sound / np.abs(sound).max()
    return scaled


def features(part: Part, item: int) -> Array:
    """Return the features of an item, (49, 10) int8."""
    return _mfcc.features(clip(part, item))


def _noise(part: Part, rng: Generator) -> Array:
    """Return noise of loudness 1, (SAMPLES,): a colour between white and brown, mains hum, or
    people talking.
    """
    kind = rng.integers(4)
    if kind == 0:
        return hum(SAMPLES, rng)
    if kind == 1:
        return _babble(part, rng)
    return coloured(SAMPLES, rng.uniform(0, 2), rng)


def _babble(part: Part, rng: Generator) -> Array:
    """Return up to seven of the split's voices at once, over a little white noise."""
    items = [int(item) for item in rng.integers(part.items, size=7)]
    spoken = [_spoken(part, item) for item in items if label(part, item) != SILENCE]
    talk = np.stack([_placed(word, rng) for word in spoken]).sum(axis=0)
    return unit(unit(talk) + 0.05 * rng.standard_normal(SAMPLES))


def _placed(word: Array, rng: Generator) -> Array:
    """Return a word at a random position in a second of silence, cut where it does not fit."""
    word = word[:SAMPLES]
    start = int(rng.integers(SAMPLES - len(word) + 1))
    return np.pad(word, (start, SAMPLES - len(word) - start))


def _spoken(part: Part, item: int) -> Array:
    return _espeak.at_16_khz(_said(utterance(part, item)))


@cache
def _said(what: _espeak.Utterance) -> Array:
    """Return the synthesized sound, cached while a split is made, since babble repeats it."""
    return _espeak.samples(what)


def make(part: Part) -> Array:
    """Return the features of a split, (items, 49, 10) int8. Takes about 10 ms per item."""
    speech = dict.fromkeys(
        utterance(part, item) for item in range(part.items) if label(part, item) != SILENCE
    )
    with ThreadPoolExecutor() as pool:
        list(pool.map(_said, speech))
    x = np.stack([features(part, item) for item in range(part.items)])
    _said.cache_clear()
    return x


def load() -> Splits:
    """Read the shipped features: x has shape (items, 49, 10, 1), float32, around −4 to 4; axes are
    time and coefficient.
    """
    with np.load(SHIPPED) as file:
        x_calibration, x_test = as_stored(file["x_calibration"]), as_stored(file["x_test"])
    return Splits(x_calibration, _labels(CALIBRATION), x_test, _labels(TEST))


def preview(n: int) -> tuple[Array, Array]:
    """Return the first n test items."""
    splits = load()
    return splits.x_test[:n], splits.y_test[:n]


def _labels(part: Part) -> Array:
    return np.array([label(part, item) for item in range(part.items)], dtype=np.int64)


def training() -> tuple[Array, Array]:
    """Synthesize the training set, in two minutes.

    Raises:
        MissingPackage: espeak-ng is not installed.
        LabError: its samples differ from those of the version behind the digest.
    """
    spoken_by = _espeak.version()
    x, y = as_stored(make(TRAINING)), _labels(TRAINING)
    if (digest := arrays_digest({"x": x, "y": y})) != DATASET.training_digest:
        raise LabError(
            "The training set of 'keywords' is not the declared one",
            allowed=f"{DATASET.training_digest}, spoken by espeak-ng {_espeak.DECLARED}",
            given=f"{digest}, spoken by espeak-ng {spoken_by}",
            remedy=f"Install espeak-ng {_espeak.DECLARED}, as in Debian 12 or Ubuntu 24.04",
        )
    return x, y


def ship() -> None:
    """Synthesize the calibration and test items and write SHIPPED."""
    np.savez_compressed(SHIPPED, x_calibration=make(CALIBRATION), x_test=make(TEST))


DATASET = Dataset(
    id="keywords",
    title="Spoken commands",
    task="classification",
    load=load,
    training=training,
    digest="67192c6f1b2f09d2e403639a581ba945b2fdb1ec8d16d7a691db4af13f82c14f",
    training_digest="dadd02a2f20bdf38d6d7a4613b00826acd5da4a9ebbcbd84dad7681b52a37fff",
    class_names=CLASSES,
    provenance=(
        "Spoken by espeak-ng 1.51 in voices, accents, speeds and pitches drawn at random, with"
        " rooms and noises made here; no voice variant speaks in two of the splits, and the test"
        " has other unknown words than the training set. 10 mel-frequency cepstral coefficients of"
        " 49 frames, as in MLPerf Tiny. The task and its classes are those of Speech Commands (P."
        " Warden, arXiv:1804.03209), whose recordings are not used."
    ),
    licence="MIT",
    preview=preview,
    test_items=2_400,
    show="spectrogram",
    picture=picture,
    tags=("sound",),
)

if __name__ == "__main__":
    ship()
