import shutil

import numpy as np
import pytest
from scipy.fft import dct, idct

from lab.datasets import _espeak, _mfcc, _voices, keywords
from lab.datasets._acoustics import coloured, hum, in_room
from lab.errors import LabError, MissingPackage
from lab.plugs import Array

SPEAKS = shutil.which("espeak-ng") is not None and _espeak.version() == _espeak.DECLARED
needs_the_speaker = pytest.mark.skipif(
    not SPEAKS, reason=f"espeak-ng {_espeak.DECLARED} is not installed"
)
PARTS = (keywords.TRAINING, keywords.CALIBRATION, keywords.TEST)


def noise(seed: int = 0, samples: int = 16_000) -> Array:
    return np.random.default_rng(seed).standard_normal(samples) / 10


def mel_triangle(number: int, frequency_hz: float) -> float:
    """One weight of the filter bank, written out."""
    corners = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 4000 / 700), 42)
    low, middle, high = corners[number : number + 3]
    place = 1127 * np.log(1 + frequency_hz / 700)
    if low < place <= middle:
        return float((place - low) / (middle - low))
    return float((high - place) / (high - middle)) if middle < place < high else 0.0


def test_the_filter_bank_is_the_formula() -> None:
    expected = [
        [mel_triangle(number, bin_ * 16_000 / 512) for number in range(40)] for bin_ in range(257)
    ]
    np.testing.assert_allclose(_mfcc.mel_matrix(), expected, atol=1e-12)


def test_the_spectrum_is_that_of_each_windowed_frame() -> None:
    clip = noise()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)
    time = np.arange(480)
    angles = np.exp(-2j * np.pi * np.outer(np.arange(257), time) / 512)
    for frame in (0, 17, 48):
        magnitude = np.abs(angles @ (clip[320 * frame : 320 * frame + 480] * window))
        np.testing.assert_allclose(
            _mfcc.log_mel(clip)[frame], np.log(magnitude @ _mfcc.mel_matrix() + 1e-6), atol=1e-9
        )


def test_the_coefficients_are_scipys_cosine_transform() -> None:
    log_mel = _mfcc.log_mel(noise())
    expected = dct(log_mel, type=2, axis=1) / np.sqrt(2 * 40)
    np.testing.assert_allclose(_mfcc.mfcc(noise()), expected[:, :10], atol=1e-9)


def test_a_second_gives_49_frames_and_silence_is_finite() -> None:
    assert _mfcc.mfcc(np.zeros(16_000)).shape == (49, 10)
    assert np.isfinite(_mfcc.mfcc(np.zeros(16_000))).all()


def test_what_is_shipped_is_what_is_declared() -> None:
    splits = keywords.DATASET.load()
    assert splits.digest() == keywords.DATASET.digest
    assert splits.x_test.shape == (2400, 49, 10, 1)
    assert splits.x_calibration.shape == (512, 49, 10, 1)
    assert splits.x_test.dtype == np.float32


def test_every_class_is_there_as_often() -> None:
    splits = keywords.DATASET.load()
    assert " ".join(keywords.CLASSES) == "yes no up down left right on off stop go unknown silence"
    assert set(np.bincount(splits.y_test)) == {200}
    assert set(np.bincount(splits.y_calibration)) <= {42, 43}


def test_features_fill_their_range_without_leaving_it() -> None:
    x = keywords.DATASET.load().x_test
    assert 0.3 < x.std(axis=(0, 1, 3)).min() < x.std(axis=(0, 1, 3)).max() < 3
    assert np.abs(x).max() < 127 / _mfcc.STEPS


def test_no_item_is_there_twice() -> None:
    splits = keywords.DATASET.load()
    items = [x.tobytes() for x in (*splits.x_test, *splits.x_calibration)]
    assert len(set(items)) == len(items)


def test_splits_share_no_voice_and_the_test_has_words_of_its_own() -> None:
    training, calibration, test = (set(part.cast.variants) for part in PARTS)
    assert not training & calibration
    assert not training & test
    assert not calibration & test
    assert not set(_voices.TEST.others) & (
        set(_voices.TRAINING.others) | set(_voices.CALIBRATION.others)
    )
    assert len(_voices.TRAINING.others) >= 30
    assert not set(_voices.COMMANDS) & {*_voices.TRAINING.others, *_voices.TEST.others}


def test_each_language_spells_each_command() -> None:
    assert all(
        len(spelled.split()) == len(_voices.COMMANDS) for spelled in _voices.FOREIGN.values()
    )
    assert _voices.spelling("yes", "it") == "ies"
    assert _voices.spelling("yes", "en-us") == "yes"
    assert _voices.spelling("table", "it") == "table"


def test_what_is_said_depends_on_the_item_alone() -> None:
    said = [keywords.utterance(keywords.TEST, item) for item in range(40)]
    assert said[::-1] == [keywords.utterance(keywords.TEST, item) for item in reversed(range(40))]
    assert len(set(said)) > 35


def test_a_training_utterance_is_heard_several_times() -> None:
    part = keywords.TRAINING
    takes = [keywords.utterance(part, 5 + turn * len(part.turn)) for turn in range(4)]
    assert takes[0] == takes[1] == takes[2] != takes[3]


@needs_the_speaker
def test_items_made_again_are_what_is_shipped() -> None:
    with np.load(keywords.SHIPPED) as file:
        for part, name in ((keywords.TEST, "x_test"), (keywords.CALIBRATION, "x_calibration")):
            for item in (0, 4, 11, 12, 346, 507):
                np.testing.assert_array_equal(keywords.features(part, item), file[name][item])


def sounds(voices: list[str]) -> set[bytes]:
    """espeak-ng speaks with a default voice where it does not know a name: that would let a voice
    into two splits.
    """
    return {_espeak.samples(_espeak.Utterance("go", voice, 150, 50)).tobytes() for voice in voices}


@needs_the_speaker
def test_every_voice_sounds_like_no_other() -> None:
    voices = [f"en-us+{variant}" for part in PARTS for variant in part.cast.variants]
    assert len(sounds(voices)) == len(voices)


@needs_the_speaker
def test_every_accent_heeds_the_voice() -> None:
    for accent in _voices.TEST.accents:
        assert len(sounds([f"{accent}+{variant}" for variant in ("m1", "m4", "f2", "f3")])) == 4, (
            accent
        )


@needs_the_speaker
def test_speech_is_cut_scaled_and_at_16_khz() -> None:
    what = _espeak.Utterance("stop", "en-us+m4", 150, 50)
    raw, wave = _espeak.samples(what), _espeak.at_16_khz(_espeak.samples(what))
    assert np.abs(wave).max() == pytest.approx(1)
    assert 0.2 * 16_000 < len(wave) < len(raw) * 16_000 / 22_050
    np.testing.assert_array_equal(raw, _espeak.samples(what))


def test_resampling_keeps_a_tone() -> None:
    time_s = np.arange(22_050) / 22_050
    tone = (np.sin(2 * np.pi * 1000 * time_s) * 20_000).astype(np.int16)
    spectrum = np.abs(np.fft.rfft(_espeak.at_16_khz(tone)[:8000]))
    assert spectrum.argmax() * 2 == 1000


def test_without_the_speaker_training_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    _espeak.version.cache_clear()
    with pytest.raises(MissingPackage, match="apt-get install espeak-ng"):
        keywords.training()
    assert keywords.load().x_test.shape == (2400, 49, 10, 1)


def test_another_speaker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_espeak, "version", lambda: "9.9")
    monkeypatch.setattr(keywords, "make", lambda part: np.zeros((part.items, 49, 10), np.int8))
    with pytest.raises(LabError, match=r"spoken by espeak-ng 1\.51.*spoken by espeak-ng 9\.9"):
        keywords.training()


def test_a_room_keeps_length_and_adds_echoes() -> None:
    click = np.zeros(16_000)
    click[1000] = 1.0
    heard = in_room(click, np.random.default_rng(3))
    assert len(heard) == len(click)
    assert np.abs(heard[:900]).max() < 0.1 * np.abs(heard).max()
    assert (heard[1200:3000] ** 2).sum() > 0


@pytest.mark.parametrize(
    ("slope", "more_bass"), [(0.0, (0.5, 2)), (1.0, (50, 500)), (2.0, (2e3, 1e6))]
)
def test_noise_has_its_colour(slope: float, more_bass: tuple[float, float]) -> None:
    power = np.abs(np.fft.rfft(coloured(16_000, slope, np.random.default_rng(0)))) ** 2
    assert more_bass[0] < power[20:40].mean() / power[4000:8000].mean() < more_bass[1]


def test_hum_stands_at_the_mains() -> None:
    power = np.abs(np.fft.rfft(hum(16_000, np.random.default_rng(0)))) ** 2
    assert power[[50, 60]].max() > 100 * np.median(power)


def test_the_picture_is_the_outline_of_the_spectrogram() -> None:
    """With every coefficient kept, it would be the log-mel spectrogram itself."""
    clip = np.random.default_rng(0).normal(size=16_000) * np.hanning(16_000)
    spectrogram = _mfcc.log_mel(clip)
    kept = dct(spectrogram, norm="ortho", axis=-1)
    kept[:, _mfcc.COEFFICIENTS :] = 0
    np.testing.assert_allclose(
        _mfcc.smooth_log_mel(_mfcc.mfcc(clip)), idct(kept, norm="ortho", axis=-1), atol=1e-9
    )
    assert keywords.picture(keywords.preview(3)[0]).shape == (3, 49, 40)
