"""Words spoken by espeak-ng, a formant synthesiser: the same samples for the same words each
time.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from wave import open as open_wave

from lab.errors import LabError, MissingPackage
from lab.lazy import np
from lab.plugs import Array

PROGRAM = "espeak-ng"
DECLARED = "1.51"
"""The version that spoke what is shipped: another one speaks a little differently."""
ITS_RATE_HZ = 22_050
RATIO = (320, 441)
"""16 000 Hz : 22 050 Hz in whole numbers."""
AUDIBLE = 0.003
"""Of the peak: what is softer at both ends of an utterance is cut off."""


@dataclass(frozen=True)
class Utterance:
    """What is said, and by whom.

    Attributes:
        voice: language and variant, as `espeak-ng -v` takes them.
        speed_wpm: words per minute.
        pitch: 0 to 99, 50 being the voice's own.
    """

    text: str
    voice: str
    speed_wpm: int
    pitch: int


@cache
def version() -> str:
    """The synthesiser's version, such as "1.51".

    Raises:
        MissingPackage: it is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise MissingPackage(
            f"Speaking words needs the program {PROGRAM!r}, which is not installed",
            remedy=f"On Debian or Ubuntu run: apt-get install {PROGRAM}",
        )
    line = _run("--version").decode()
    found = re.search(r"\d+(\.\d+)+", line)
    return found.group() if found else line.strip()


def samples(utterance: Utterance) -> Array:
    """What the synthesiser says: (samples,) int16 at ITS_RATE_HZ. About 10 ms, nearly all of it the
    process's start.
    """
    version()
    manner = ("-v", utterance.voice, "-s", str(utterance.speed_wpm), "-p", str(utterance.pitch))
    with open_wave(BytesIO(_run(*manner, "-z", "--stdout", utterance.text))) as sound:
        if sound.getframerate() != ITS_RATE_HZ:
            raise LabError(
                f"{PROGRAM} speaks at another rate",
                allowed=f"{ITS_RATE_HZ} Hz",
                given=sound.getframerate(),
            )
        return np.frombuffer(sound.readframes(1 << 30), dtype="<i2")


def at_16_khz(sound: Array) -> Array:
    """(samples,) int16 at 22 050 Hz -> (fewer,) float64 at 16 kHz, cut to what is audible, with a
    peak of 1.

    The spectrum above 8 kHz is left out, so that nothing folds back.
    """
    ours, its = RATIO
    pieces = -(-len(sound) // its)
    spectrum = np.fft.rfft(sound.astype(np.float64), pieces * its)
    wave = np.fft.irfft(spectrum[: pieces * ours // 2 + 1], pieces * ours)
    loudness = np.abs(wave)
    audible = np.flatnonzero(loudness > AUDIBLE * loudness.max())
    cut: Array = wave[audible[0] : audible[-1] + 1] / loudness.max()
    return cut


def _run(*arguments: str) -> bytes:
    return subprocess.run([PROGRAM, *arguments], capture_output=True, check=True).stdout
