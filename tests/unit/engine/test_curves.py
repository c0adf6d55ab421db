from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.engine import curves
from lab.store import records


def test_the_last_curve_of_each_phase_is_handed_on_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(curves, "EVERY_S", 0.0)
    kept: list[Any] = []
    tell, follow = curves.curve_writer(tmp_path), curves.Follower(kept.append)
    follow(tmp_path)
    assert kept == []
    assert curves.read_curves(tmp_path) == []
    tell({"phase": "first", "points": [1]})
    tell({"phase": "first", "points": [1, 2]})
    follow(tmp_path)
    follow(tmp_path)
    assert kept == [[{"phase": "first", "points": [1, 2]}]]
    tell({"phase": "second", "points": [3]})
    (tmp_path / curves.FILE).touch()
    follow(tmp_path)
    assert (
        kept[-1]
        == curves.read_curves(tmp_path)
        == [{"phase": "first", "points": [1, 2]}, {"phase": "second", "points": [3]}]
    )


def test_it_looks_no_more_than_once_a_second(tmp_path: Path) -> None:
    kept: list[Any] = []
    tell, follow = curves.curve_writer(tmp_path), curves.Follower(kept.append)
    tell({"phase": "first", "points": [1]})
    follow(tmp_path)
    tell({"phase": "first", "points": [1, 2]})
    follow(tmp_path)
    assert len(kept) == 1


def test_the_store_keeps_the_newest(lab_home: Path) -> None:
    records.keep_curve("key", "torch_fine_tune", [{"phase": "train"}])
    records.keep_curve("key", "torch_fine_tune", [{"phase": "train", "points": []}])
    found = records.curves(["key", "other"])
    assert list(found) == ["key"]
    assert found["key"]["technique"] == "torch_fine_tune"
    assert found["key"]["phases"] == [{"phase": "train", "points": []}]
