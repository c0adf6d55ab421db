"""The standard sets, read from small files in the publishers' own formats, served by a publisher on
this machine.
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import wave
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lab.datasets import _mfcc, cifar10, fashion_mnist, keywords, speech_commands
from lab.datasets._mfcc import mfcc
from lab.errors import InvalidFile
from lab.plugs import Array, SourceFile
from tests.publisher import Publisher, publisher


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("LAB_DOWNLOADS", str(tmp_path / "downloads"))
    with publisher() as found:
        yield found


def offered(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *sources: SourceFile) -> None:
    monkeypatch.setattr(module, "DATASET", replace(module.DATASET, sources=sources))


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


# --- CIFAR-10 -------------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes as the publisher's Python 2 did: all text as bytes without an encoding, numpy under
    its old names.
    """

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]  # noqa: RUF012

    def save_text(self, value: str | bytes) -> None:
        raw = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text
    dispatch[type] = dispatch[type(len)] = save_global


def cifar_batch(x: Array, y: list[int]) -> bytes:
    out = io.BytesIO()
    rows = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1)
    batch = {"batch_label": "a batch", "labels": y, "data": rows, "filenames": ["a.png"] * len(x)}
    Python2Pickler(out, protocol=2).dump(batch)
    return out.getvalue()


def cifar_images(seed: int, n: int = 40) -> tuple[Array, list[int]]:
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), [
        i % 10 for i in range(n)
    ]


def cifar_archive(**changed: bytes) -> bytes:
    batches = {f"data_batch_{n}": cifar_batch(*cifar_images(n)) for n in range(1, 6)}
    batches |= {"batches.meta": b"?", "test_batch": cifar_batch(*cifar_images(0)), **changed}
    return tar_gz(
        {f"cifar-10-batches-py/{name}": content for name, content in batches.items() if content}
    )


def test_cifar10_is_read_from_the_publishers_batches(
    site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(cifar10, monkeypatch, site.offer("cifar-10-python.tar.gz", cifar_archive()))
    monkeypatch.setattr(cifar10, "CALIBRATION_ITEMS", 20)
    splits, (x, y) = cifar10.load(), cifar10.training()
    images, labels = cifar_images(0)
    np.testing.assert_array_equal(splits.x_test, images.astype("float32") / np.float32(255))
    assert splits.y_test.tolist() == labels
    assert (len(splits.y_calibration), len(y)) == (20, 180)
    assert x.dtype == splits.x_calibration.dtype == np.float32
    every = {
        item.tobytes()
        for n in range(1, 6)
        for item in cifar_images(n)[0].astype("float32") / np.float32(255)
    }
    assert {i.tobytes() for i in x} | {i.tobytes() for i in splits.x_calibration} == every
    assert len(site.asked) == 1


def test_a_pickle_that_would_call_something_is_refused(
    site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return (print, ("called",))

    offered(
        cifar10,
        monkeypatch,
        site.offer(
            "cifar-10-python.tar.gz", cifar_archive(test_batch=pickle.dumps({b"data": Call()}))
        ),
    )
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        cifar10.load()


def test_an_archive_without_a_batch_is_refused(
    site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(
        cifar10, monkeypatch, site.offer("cifar-10-python.tar.gz", cifar_archive(data_batch_3=b""))
    )
    with pytest.raises(InvalidFile, match="lacks data_batch_3"):
        cifar10.load()


def test_a_batch_of_other_images_is_refused(
    site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = cifar_batch(np.zeros((2, 16, 16, 3), np.uint8), [0, 1])
    offered(
        cifar10, monkeypatch, site.offer("cifar-10-python.tar.gz", cifar_archive(test_batch=small))
    )
    with pytest.raises(InvalidFile, match="another form"):
        cifar10.load()


# --- Fashion-MNIST --------------------------------------------------------------------------------


def idx(array: Array) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def fashion_files(**changed: bytes) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    made = {}
    for part, n in (("train", 200), ("t10k", 50)):
        made[f"{part}-images-idx3-ubyte.gz"] = idx(rng.integers(0, 256, (n, 28, 28)))
        made[f"{part}-labels-idx1-ubyte.gz"] = idx(np.arange(n) % 10)
    return {**made, **changed}


def test_fashion_mnist_is_read_from_the_publishers_files(
    site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(
        fashion_mnist,
        monkeypatch,
        *(site.offer(name, content) for name, content in fashion_files().items()),
    )
    monkeypatch.setattr(fashion_mnist, "CALIBRATION_ITEMS", 20)
    splits, (x, y) = fashion_mnist.load(), fashion_mnist.training()
    assert splits.x_test.shape == (50, 28, 28, 1)
    assert splits.y_test.tolist() == [i % 10 for i in range(50)]
    assert (len(splits.y_calibration), len(y)) == (20, 180)
    assert 0.9 < x.max() <= 1
    assert not {i.tobytes() for i in x} & {i.tobytes() for i in splits.x_calibration}


@pytest.mark.parametrize(
    "content",
    [idx(np.zeros((4, 28))), idx(np.zeros(9))[:-12], gzip.compress(b"")],
    ids=["axes", "cut", "empty"],
)
def test_what_is_no_idx_file_is_refused(
    content: bytes, site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = fashion_files(**{"t10k-labels-idx1-ubyte.gz": content})
    offered(fashion_mnist, monkeypatch, *(site.offer(name, made) for name, made in changed.items()))
    with pytest.raises((InvalidFile, EOFError)):
        fashion_mnist.load()


# --- Speech Commands ------------------------------------------------------------------------------


def wav(seed: int, seconds: float = 0.9, rate_hz: int = 16_000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        noise = np.random.default_rng(seed).normal(0, 3000, int(seconds * rate_hz))
        file.writeframes(noise.astype("<i2").tobytes())
    return out.getvalue()


def speech_archive() -> bytes:
    """Two clips of each word for each part; the lists come last, as they may."""
    words = (*speech_commands.WORDS, "bed", "cat")
    parts = {
        part: [f"{word}/{part}{n}_nohash_0.wav" for word in words for n in range(2)]
        for part in ("a", "b", "c")
    }
    members = {
        f"./{name}": wav(i)
        for i, name in enumerate(name for names in parts.values() for name in names)
    }
    members |= {
        f"./_background_noise_/{name}.wav": wav(i, 3.0)
        for i, name in enumerate(("running_tap", "white_noise"), 900)
    }
    members |= {"./_background_noise_/README.md": b"noise", "./README.md": b"words"}
    lists = {"./validation_list.txt": parts["b"], "./testing_list.txt": parts["c"]}
    return tar_gz(members | {name: "\n".join(names).encode() for name, names in lists.items()})


def speech_test_archive() -> bytes:
    folders = (*speech_commands.WORDS, "_unknown_", "_silence_")
    return tar_gz(
        {
            f"./{folder}/{n}.wav": wav(5000 + 10 * i + n)
            for i, folder in enumerate(folders)
            for n in range(3)
        }
    )


@pytest.fixture
def speech(site: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = site.offer("speech_commands_v0.02.tar.gz", speech_archive())
    test = site.offer("speech_commands_test_set_v0.02.tar.gz", speech_test_archive())
    offered(speech_commands, monkeypatch, whole, test)
    monkeypatch.setattr(speech_commands, "CALIBRATION_EACH", 2)
    monkeypatch.setattr(speech_commands, "TRAINING_OTHERS", 3)


@pytest.mark.usefixtures("speech")
def test_speech_commands_keeps_the_publishers_lists_apart() -> None:
    splits, (x, y) = speech_commands.load(), speech_commands.training()
    assert splits.x_test.shape == (36, 49, 10, 1)
    assert np.bincount(splits.y_test).tolist() == [3] * 12
    assert np.bincount(splits.y_calibration).tolist() == [2] * 12
    assert np.bincount(y).tolist() == [2] * 10 + [3, 3]
    assert x.dtype == splits.x_test.dtype == np.float32
    parts = [{i.tobytes() for i in part} for part in (x, splits.x_calibration, splits.x_test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


@pytest.mark.usefixtures("speech")
def test_speech_commands_is_the_same_each_time() -> None:
    assert speech_commands.load().digest() == speech_commands.load().digest()


def test_a_clip_of_another_rate_is_refused() -> None:
    with pytest.raises(InvalidFile, match="16 000 Hz"):
        speech_commands.samples(wav(0, rate_hz=8_000))


def test_features_do_not_tell_how_loud_a_clip_is() -> None:
    clip = speech_commands.samples(wav(0))
    np.testing.assert_array_equal(
        speech_commands.features(clip), speech_commands.features(clip / 4)
    )
    assert speech_commands.features(np.zeros(100)).shape == (49, 10, 1)


def test_recordings_and_synthetic_speech_have_one_form() -> None:
    assert speech_commands.CLASSES == keywords.CLASSES
    clip = speech_commands.samples(wav(0, 1.0))
    peak = clip / np.abs(clip).max()
    spoken = np.clip(np.round(mfcc(peak) / _mfcc.SPREAD * _mfcc.STEPS), -127, 127).astype(np.int8)
    np.testing.assert_array_equal(
        speech_commands.features(clip), _mfcc.as_stored(spoken[np.newaxis])[0]
    )
