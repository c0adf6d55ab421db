"""Downloads of published files: fetched once, resumed after interruptions, and verified by their
digest.

The code uses the standard library because pooch and Keras' loader cannot resume, and one of the
files has 2.4 GB. Network modules are imported where they are used: most importers of this file only
need the path of its folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lab.errors import DownloadFailed, InvalidFile
from lab.home import folder
from lab.plugs import SourceFile

TIMEOUT_S = 5.0
"""Longest wait for a connection or the next part of a file; short, so that a missing network shows
quickly.
"""
ATTEMPTS = 5
"""Number of times that a started download is resumed."""
CHUNK_BYTES = 1 << 20
PARTIAL_CONTENT = 206


class _Broken(Exception):
    """Error: the connection broke, or was never made."""


Progress = Callable[[str, int, int], None]
"""Function of the file's name, the bytes received and the total bytes."""


def downloads(dataset_id: str) -> Path:
    """Return the folder for a dataset's files: in LAB_DOWNLOADS, or in downloads/ of LAB_HOME."""
    base = os.environ.get("LAB_DOWNLOADS")
    path = (Path(base).expanduser().resolve() if base else folder("downloads")) / dataset_id
    path.mkdir(parents=True, exist_ok=True)
    return path


def fetch_all(
    dataset_id: str, sources: tuple[SourceFile, ...], progress: Progress | None = None
) -> Mapping[str, Path]:
    """Return file name -> path for the files of a dataset, each of them verified; see `fetch`."""
    return {source.name: fetch(source, downloads(dataset_id), progress) for source in sources}


def fetch(source: SourceFile, into: Path, progress: Progress | None = None) -> Path:
    """Return a published file in a folder, downloaded if it is not there yet.

    Raises:
        DownloadFailed: the publisher cannot be reached, or the connection breaks repeatedly.
        InvalidFile: the file there, or the downloaded file, does not have the source's digest. A
            downloaded file is deleted.
        OSError: the disk is full.
    """
    final, part = into / source.name, into / f".part-{source.name}"
    with _alone(into / f".lock-{source.name}"):
        if not final.exists():
            _download(source, part, progress or _silent)
            _accept(source, part, final)
        elif (digest := sha256(final)) != source.sha256:
            raise InvalidFile(
                f"{final} is not the file that its publisher offers",
                allowed=f"SHA-256 {source.sha256}",
                given=digest,
                remedy=f"Delete it, or put the file from {source.url} in its place",
            )
    return final


def sha256(file: Path) -> str:
    """Return the digest of a file of any size."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _silent(name: str, done: int, total: int) -> None:
    del name, done, total


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock, so that other processes wait and then find the file."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _accept(source: SourceFile, part: Path, final: Path) -> None:
    if (digest := sha256(part)) != source.sha256:
        part.unlink()
        raise InvalidFile(
            f"The download from {source.url} is not the published file, and was deleted",
            allowed=f"SHA-256 {source.sha256}",
            given=digest,
            remedy="Try again; if the error persists, the publisher has changed the file",
        )
    os.replace(part, final)


def _download(source: SourceFile, part: Path, progress: Progress) -> None:
    """Fill the partial file up to the source's size, resuming whenever the connection breaks."""
    cause: BaseException | None = None
    for _ in range(ATTEMPTS):
        before = _size(part)
        if before == source.size_bytes:
            return
        try:
            _continue(source, part, progress)
        except _Broken as error:
            cause = error
        if _size(part) >= source.size_bytes:
            return
        if (
            _size(part) <= before
        ):  # nothing was received: retrying at once would only make the user wait
            break
    raise _failed(source, part, cause)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _failed(source: SourceFile, part: Path, cause: BaseException | None) -> DownloadFailed:
    reached = (
        f"broke off after {_size(part):,} of {source.size_bytes:,} bytes"
        if _size(part)
        else "could not be reached"
    )
    return DownloadFailed(
        f"{source.name} is not on this machine, and {source.url} {reached}",
        given=str(cause) if cause else "the connection ended early",
        remedy=f"Try again when the machine is online, or put the file into {part.parent} by hand",
    )


def _continue(source: SourceFile, part: Path, progress: Progress) -> None:
    """Append the missing bytes, or start again where the publisher only sends files from the
    start.
    """
    have = _size(part)
    with _open(source.url, {"Range": f"bytes={have}-"} if have else {}) as answer:
        have = have if getattr(answer, "status", None) == PARTIAL_CONTENT else 0
        _check_offer(source, answer, have)
        with part.open("ab" if have else "wb") as file:
            _copy(source, answer, file, have, progress)


def _open(url: str, headers: dict[str, str]) -> Any:
    import urllib.request

    with _breaking():
        request = urllib.request.Request(url, headers={"User-Agent": "compression-lab", **headers})
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)


def _check_offer(source: SourceFile, answer: Any, have: int) -> None:
    """Check the offered size: a file of another size is another file, for example a network's
    sign-in page.
    """
    length = answer.headers.get("Content-Length")
    if length is not None and have + int(length) != source.size_bytes:
        raise _Broken(f"it offers {have + int(length):,} bytes instead of {source.size_bytes:,}")


def _copy(
    source: SourceFile, answer: IO[bytes], file: IO[bytes], done: int, progress: Progress
) -> None:
    """Copy at most one byte more than the file is to have, so that a wrong file cannot fill the
    disk.
    """
    progress(source.name, done, source.size_bytes)
    while done <= source.size_bytes and (
        chunk := _read(answer, min(CHUNK_BYTES, source.size_bytes + 1 - done))
    ):
        file.write(chunk)
        done += len(chunk)
        progress(source.name, done, source.size_bytes)


def _read(answer: IO[bytes], size: int) -> bytes:
    with _breaking():
        return answer.read(size)


@contextmanager
def _breaking() -> Iterator[None]:
    """Turn network errors into _Broken and leave disk errors unchanged; urllib's errors are
    OSErrors.
    """
    from http.client import HTTPException

    try:
        yield
    except (OSError, HTTPException) as error:
        raise _Broken(str(error)) from error
