"""Files named by their digest are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from lab.errors import StoreFull
from lab.store import blobs, data
from lab.store.blobs import keep
from lab.store.data import ARRAYS, load_array, save_arrays
from tests import small

ROOT = Path(__file__).resolve().parents[3]


def full(*_: Any, **__: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made.onnx"
    path.write_bytes(b"content" * 1000)
    return path


def test_a_file_is_kept_under_its_digest(lab_home: Path, file: Path) -> None:
    kept = keep(file, "onnx")
    assert kept.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert Path(kept.path) == lab_home / "artifacts" / f"{kept.sha256}.onnx"
    assert Path(kept.path).read_bytes() == file.read_bytes()
    assert kept.size_bytes == 7000


def test_the_same_content_is_kept_once(lab_home: Path, file: Path) -> None:
    first = keep(file, "onnx")
    written = Path(first.path).stat().st_mtime_ns
    assert keep(file, "onnx") == first
    assert Path(first.path).stat().st_mtime_ns == written
    assert len(list((lab_home / "artifacts").iterdir())) == 1


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_is_named_and_leaves_nothing(
    lab_home: Path, file: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(os, where, full)
    with pytest.raises(StoreFull, match=r"No space is left.*LAB_HOME to a larger disk"):
        keep(file, "onnx")
    assert list((lab_home / "artifacts").iterdir()) == []


def test_other_errors_keep_their_names(
    lab_home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(PermissionError):
        keep(file, "onnx")
    assert list((lab_home / "artifacts").iterdir()) == []


def test_a_crash_before_the_rename_leaves_no_artifact(lab_home: Path, file: Path) -> None:
    code = f"""
import os, pathlib
os.replace = lambda *a: os.kill(os.getpid(), 9)
from lab.store.blobs import keep
keep(pathlib.Path({str(file)!r}), "onnx")
"""
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode
        == -signal.SIGKILL
    )
    assert [
        p.name for p in (lab_home / "artifacts").iterdir() if not p.name.startswith(".part-")
    ] == []
    assert Path(keep(file, "onnx").path).read_bytes() == file.read_bytes()


def test_arrays_are_kept_whole(lab_home: Path) -> None:
    arrays = small.arrays()
    where = save_arrays(arrays, "abc")
    for name in ARRAYS:
        np.testing.assert_array_equal(load_array(where, name), arrays[name])
    assert save_arrays(arrays, "abc") == where


@pytest.mark.parametrize(("module", "name"), [(data.np, "save"), (os, "replace")])
def test_a_full_disk_leaves_no_half_data(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    monkeypatch.setattr(module, name, full)
    with pytest.raises(StoreFull):
        save_arrays(small.arrays(), "abc")
    assert list((lab_home / "data").iterdir()) == []


@pytest.mark.slow
def test_a_study_on_a_full_disk_fails_with_the_remedy(
    small_card: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up when the first file has been made: its trial says so, and once there is
    space it goes on.
    """
    import lab

    real = blobs._place

    def only_the_source(source: Path, final: Path) -> None:
        if source.suffix == ".onnx":
            raise blobs.full_disk(OSError(errno.ENOSPC, "No space left on device"))
        real(source, final)

    spec = lab.make_spec("small", space={"onnx_fp16": {}}, targets=["ort"], rounds=2, runs=5)
    monkeypatch.setattr(blobs, "_place", only_the_source)
    study = lab.wait(lab.start(spec)).id
    states = {t.name: (t.state, (t.error or {}).get("type")) for t in lab.trials(study)}
    assert states == {"float32": ("complete", None), "fp16": ("failed", "StoreFull")}
    assert "resume the study" in next(t.error for t in lab.trials(study) if t.error)["message"]
    monkeypatch.setattr(blobs, "_place", real)
    lab.resume(study)
    lab.wait(study)
    assert {t.state for t in lab.trials(study)} == {"complete"}
