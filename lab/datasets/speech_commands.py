"""Speech Commands v0.02: single words spoken by people into their own microphones, downloaded from
Google on first use.

The twelve classes and the features of MLPerf Tiny's keyword spotting, as in `keywords`, but with
real voices.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lab.datasets import _mfcc
from lab.datasets._download import Progress, fetch_all
from lab.datasets._mfcc import RATE_HZ, as_stored, picture
from lab.datasets._split import rank
from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array, Dataset, SourceFile, Splits, sources_digest

PUBLISHED_AT = "https://storage.googleapis.com/download.tensorflow.org/data/"
WHOLE = SourceFile(
    f"{PUBLISHED_AT}speech_commands_v0.02.tar.gz",
    "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    2_428_923_189,
)
TEST = SourceFile(
    f"{PUBLISHED_AT}speech_commands_test_set_v0.02.tar.gz",
    "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
    112_563_277,
)
"""Digests and sizes from TensorFlow Datasets,
tensorflow_datasets/url_checksums/speech_commands.txt; torchaudio's datasets/speechcommands.py has
the same digest for the first.
"""
VERSION = 1
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
CLASSES = (*WORDS, "unknown", "silence")
UNKNOWN, SILENCE = CLASSES.index("unknown"), CLASSES.index("silence")
NOISE = "_background_noise_"
HELD_BACK = f"{NOISE}/running_tap.wav"
"""Noise recording excluded from training: calibration silence is cut from it, as validation silence
is in TensorFlow Datasets.
"""
CALIBRATION_EACH, TRAINING_OTHERS = 43, 3_000
"""Calibration items of each class; training items of "unknown" and of "silence", about as many as
of one word.
"""


@dataclass(frozen=True)
class Listing:
    """Contents of the archive: all clips, and the publisher's two lists of clips excluded from
    training.
    """

    clips: frozenset[str]
    validation: frozenset[str]
    testing: frozenset[str]


def load(progress: Progress | None = None) -> Splits:
    """Return the publisher's test set, and calibration items from its validation list; x is (items,
    49, 10, 1) float32.
    """
    files = fetch_all(DATASET.id, DATASET.sources, progress)
    whole, test = (files[source.name] for source in DATASET.sources)
    return Splits(*read_calibration(whole), *read_test(test))


def training() -> tuple[Array, Array]:
    """Return every command clip that is on no list, and about as many other words and noises as
    clips of one command.
    """
    whole = fetch_all(DATASET.id, DATASET.sources)[DATASET.sources[0].name]
    listing = read_listing(whole)
    spoken = listing.clips - listing.validation - listing.testing
    noises = {name for name in listing.clips if name.startswith(NOISE)} - {HELD_BACK}
    words = {name for name in spoken if _word(name) in WORDS}
    others = _some({name for name in spoken if _label(name) == UNKNOWN}, TRAINING_OTHERS)
    return _features(whole, words | others, dict.fromkeys(noises, TRAINING_OTHERS // len(noises)))


def read_calibration(archive: Path) -> tuple[Array, Array]:
    """Return calibration items: a fixed number per class from the publisher's validation list, and
    silence from the held-back noise.
    """
    validation = read_listing(archive).validation
    chosen = {
        name
        for label in range(SILENCE)
        for name in _some({n for n in validation if _label(n) == label}, CALIBRATION_EACH)
    }
    return _features(archive, chosen, {HELD_BACK: CALIBRATION_EACH})


def read_test(archive: Path) -> tuple[Array, Array]:
    """Return all clips of the publisher's test archive, which has a folder for each of the twelve
    classes.
    """
    return _features(archive, None, {})


def read_listing(archive: Path) -> Listing:
    """Return the contents of the archive, with names like "word/clip.wav"."""
    lists = {"validation_list.txt": frozenset[str](), "testing_list.txt": frozenset[str]()}
    clips = set()
    for name, read in _members(archive):
        if name in lists:
            lists[name] = frozenset(read().decode().split())
        elif name.endswith(".wav"):
            clips.add(name)
    if not all(lists.values()):
        raise InvalidFile(f"{archive} lacks {' or '.join(lists)}")
    return Listing(frozenset(clips), lists["validation_list.txt"], lists["testing_list.txt"])


def _members(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name without leading folders, read function) of each file; nothing is unpacked to
    disk.
    """
    import tarfile

    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            if (stream := tar.extractfile(member)) is not None:
                yield "/".join(PurePosixPath(member.name).parts[-2:]), stream.read


def _word(name: str) -> str:
    return name.partition("/")[0]


def _label(name: str) -> int:
    """Return the class of a clip: its folder, or "unknown" for words that are not commands."""
    word = _word(name)
    if word in (NOISE, "_silence_"):
        return SILENCE
    return CLASSES.index(word) if word in WORDS else UNKNOWN


def _some(names: set[str], n: int) -> set[str]:
    """Return n of the names, the same on every machine."""
    return set(sorted(names, key=lambda name: rank(name.encode(), DATASET.id))[:n])


def _features(
    archive: Path, names: set[str] | None, cuts: Mapping[str, int]
) -> tuple[Array, Array]:
    """Return x and y of clips, sorted by name.

    Args:
        names: clips of one item each; None means all.
        cuts: recording -> number of items cut from it.
    """
    found: dict[str, Array] = {}
    for name, read in _members(archive):
        if name in cuts:
            found[name] = np.stack(
                [features(second) for second in seconds(samples(read()), cuts[name])]
            )
        elif name.endswith(".wav") and (names is None or name in names):
            found[name] = features(samples(read()))[np.newaxis]
    if absent := ({*(names or ()), *cuts} - found.keys()) or (set() if found else {"every clip"}):
        raise InvalidFile(f"{archive} lacks {len(absent)} clips", given=sorted(absent)[:3])
    x = np.concatenate([found[name] for name in sorted(found)])
    return x, np.repeat(
        [_label(name) for name in sorted(found)], [len(found[name]) for name in sorted(found)]
    ).astype(np.int64)


def samples(content: bytes) -> Array:
    """Return the samples of a .wav file of one 16-bit channel at 16 kHz, (samples,) float64 in
    −1..1.

    Raises:
        InvalidFile: the file has another format.
    """
    with wave.open(io.BytesIO(content)) as file:
        kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if kind != (1, 2, RATE_HZ):
            raise InvalidFile(
                "A clip has another form", allowed="one channel, 2 bytes, 16 000 Hz", given=kind
            )
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def seconds(recording: Array, n: int) -> Array:
    """Return n seconds of a longer recording, evenly spread over it, (n, RATE_HZ)."""
    starts = np.linspace(0, len(recording) - RATE_HZ, n).astype(int)
    return np.stack([recording[start : start + RATE_HZ] for start in starts])


def features(clip: Array) -> Array:
    """Return the features of at most a second of sound of any loudness, (49, 10, 1) float32, in
    eighths so that they are equal on every machine.
    """
    second = np.pad(clip[:RATE_HZ], (0, max(0, RATE_HZ - len(clip))))
    loudest = np.abs(second).max()
    return as_stored(_mfcc.features(second / loudest if loudest else second))


DATASET = Dataset(
    id="speech_commands",
    title="Speech Commands, 12 classes",
    task="classification",
    load=load,
    training=training,
    digest=sources_digest((WHOLE, TEST), VERSION),
    training_digest=sources_digest((WHOLE, TEST), VERSION),
    class_names=CLASSES,
    provenance=(
        "P. Warden: Speech Commands, a Dataset for Limited-Vocabulary Speech Recognition, 2018,"
        " arXiv:1804.03209, version 0.02; fetched from its publisher. The test set is the"
        " publisher's own archive; calibration words are from its validation list; no speaker is in"
        " two of the three. Silence is cut from the publisher's six recordings of noise, which may"
        " have served for the test set too."
    ),
    licence="CC BY 4.0",
    show="spectrogram",
    picture=picture,
    test_items=4_890,
    sources=(WHOLE, TEST),
    tags=("sound", "online"),
)
