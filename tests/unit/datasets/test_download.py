"""Files from the net: trusted for their digest, resumed where they broke off, and plainly refused
where nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import perf_counter

import pytest

from lab.datasets import _download
from lab.datasets._download import downloads, fetch
from lab.errors import DownloadFailed, InvalidFile
from lab.plugs import SourceFile, sources_digest
from tests.publisher import Publisher, publisher

CONTENT = bytes(range(256)) * 1000
NOWHERE = SourceFile("http://127.0.0.1:9/file.bin", "0" * 64, 10)


@pytest.fixture
def site() -> Iterator[Publisher]:
    with publisher() as found:
        yield found


def left_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if not file.name.startswith(".lock-")}


def test_a_file_comes_once_and_is_then_at_hand(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    assert fetch(source, tmp_path).read_bytes() == CONTENT
    assert fetch(source, tmp_path) == tmp_path / "file.bin"
    assert site.asked == [("file.bin", 0)]
    assert left_in(tmp_path) == {"file.bin"}


def test_progress_is_told_in_bytes(
    site: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "CHUNK_BYTES", 100_000)
    told: list[tuple[str, int, int]] = []
    fetch(site.offer("file.bin", CONTENT), tmp_path, lambda *facts: told.append(facts))
    assert told[0] == ("file.bin", 0, len(CONTENT))
    assert told[-1] == ("file.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_wrong_file_is_refused_and_removed(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    site.files["file.bin"] = CONTENT[::-1]
    with pytest.raises(InvalidFile, match=source.sha256):
        fetch(source, tmp_path)
    assert left_in(tmp_path) == set()


def test_an_answer_of_another_size_is_not_even_read(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    site.files["file.bin"] = b"<html>please sign in</html>"
    with pytest.raises(DownloadFailed, match="offers 27 bytes"):
        fetch(source, tmp_path)
    assert left_in(tmp_path) == set()


def test_a_broken_download_goes_on_where_it_broke_off(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    site.cut_after = 100_000
    assert fetch(source, tmp_path).read_bytes() == CONTENT
    assert [start for _, start in site.asked] == [0, 100_000, 200_000]


def test_what_came_is_kept_for_the_next_time(
    site: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "ATTEMPTS", 2)
    source = site.offer("file.bin", CONTENT)
    site.cut_after = 100_000
    with pytest.raises(DownloadFailed, match="broke off after 200,000 of 256,000 bytes"):
        fetch(source, tmp_path)
    site.cut_after = None
    assert fetch(source, tmp_path).read_bytes() == CONTENT
    assert site.asked[-1] == ("file.bin", 200_000)


def test_a_publisher_that_resumes_nothing_begins_anew(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    (tmp_path / ".part-file.bin").write_bytes(CONTENT[:1000])
    site.ranges = False
    assert fetch(source, tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    (tmp_path / ".part-file.bin").write_bytes(b"x" * (len(CONTENT) + 1))
    with pytest.raises(InvalidFile, match="deleted"):
        fetch(source, tmp_path)
    assert fetch(source, tmp_path).read_bytes() == CONTENT


def test_offline_is_told_at_once_with_what_to_do(tmp_path: Path) -> None:
    began = perf_counter()
    with pytest.raises(
        DownloadFailed, match=r"could not be reached.*put the file into .* by hand"
    ) as caught:
        fetch(NOWHERE, tmp_path)
    assert perf_counter() - began < 2
    assert str(tmp_path) in str(caught.value)


def test_a_missing_page_is_no_endless_retry(site: Publisher, tmp_path: Path) -> None:
    source = replace(site.offer("file.bin", CONTENT), url=f"{site.address}/gone.bin")
    with pytest.raises(DownloadFailed, match="404"):
        fetch(source, tmp_path)
    assert len(site.asked) == 1


def test_a_file_put_there_by_hand_is_used(tmp_path: Path) -> None:
    source = replace(NOWHERE, sha256=_digest(tmp_path / "file.bin", CONTENT))
    assert fetch(source, tmp_path).read_bytes() == CONTENT


def test_a_wrong_file_put_there_by_hand_is_refused_but_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    with pytest.raises(InvalidFile, match="is not the file that its publisher offers"):
        fetch(NOWHERE, tmp_path)
    assert (tmp_path / "file.bin").exists()


def test_two_who_want_the_same_file_fetch_it_once(site: Publisher, tmp_path: Path) -> None:
    source = site.offer("file.bin", CONTENT)
    both = [Thread(target=fetch, args=(source, tmp_path)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert site.asked == [("file.bin", 0)]


def test_files_lie_in_lab_home_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAB_DOWNLOADS", raising=False)
    assert downloads("x") == tmp_path / "home" / "downloads" / "x"
    monkeypatch.setenv("LAB_DOWNLOADS", str(tmp_path / "shared"))
    assert downloads("x") == tmp_path / "shared" / "x"


def test_the_digest_of_published_data_is_that_of_the_files_and_the_code() -> None:
    other = replace(NOWHERE, sha256="1" * 64)
    moved = replace(NOWHERE, url="http://elsewhere/file.bin")
    assert sources_digest((NOWHERE, other), 1) == sources_digest((moved, other), 1)
    assert (
        len(
            {
                sources_digest((NOWHERE, other), 1),
                sources_digest((other, NOWHERE), 1),
                sources_digest((NOWHERE, other), 2),
            }
        )
        == 3
    )


def _digest(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return _download.sha256(file)
