"""Words spoken by espeak-ng, a formant synthesizer: the same words always give the same samples."""

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
"""Version that spoke the shipped data: another one speaks slightly differently."""
ITS_RATE_HZ = 22_050
RATIO = (320, 441)
"""Ratio of 16 000 Hz to 22 050 Hz in integers."""
AUDIBLE = 0.003
"""Share of the peak below which both ends of an utterance are cut off."""


@dataclass(frozen=True)
class Utterance:
    """A spoken text and its voice.

    Attributes:
        voice: language and variant, in the syntax of `espeak-ng -v`.
        speed_wpm: words per minute.
        pitch: 0 to 99; 50 is the voice's default.
    """

    text: str
    voice: str
    speed_wpm: int
    pitch: int


@cache
def version() -> str:
    """Return the synthesizer's version, for example "1.51".

    Raises:
        MissingPackage: espeak-ng is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise MissingPackage(
            f"Speaking words needs the program {PROGRAM!r}, which is not installed",
            remedy=f"On Debian or Ubuntu run: apt-get install {PROGRAM}",
        )
    line = _run("--version").decode()
    match = re.search(r"\d+(\.\d+)+", line)
    return match.group() if match else line.strip()


def samples(utterance: Utterance) -> Array:
    """Return the synthesized samples, (samples,) int16 at ITS_RATE_HZ. Takes about 10 ms, mostly
    for the start of the process.
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
    """Resample (samples,) int16 at 22 050 Hz to (fewer,) float64 at 16 kHz, trimmed to the audible
    part, with a peak of 1.

    The spectrum above 8 kHz is dropped, so that nothing aliases.
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
