"""`.lab` files: what travels, and what a damaged or made-up one cannot do."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.errors import InvalidFile, UsageError
from lab.plots.pareto.figure import pareto_info
from lab.share import importing

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example study, exported from a lab of its own."""
    folder = tmp_path_factory.mktemp("exporting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_HOME", str(folder / "home"))
        patch.delenv("LAB_DATABASE_URL", raising=False)
        study = lab.example_study()
        assert study
        return lab.export(study, folder / "study.lab")


def changed(
    file: Path, to: Path, change: Change = lambda v: None, files: dict[str, bytes] | None = None
) -> Path:
    """The same file with its JSON changed, and with further files."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(to, "w") as new:
        value = json.loads(old.read("study.json"))
        change(value)
        new.writestr("study.json", json.dumps(value))
        for name in old.namelist():
            if name != "study.json":
                new.writestr(name, old.read(name))
        for name, content in (files or {}).items():
            new.writestr(name, content)
    return to


def kept(home: Path) -> list[Path]:
    return [p for p in (home / "artifacts").glob("*") if p.is_file()]


def test_without_models_the_front_and_the_view_are_the_same(
    file: Path, lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = lab.import_study(file)
    before = lab.study(study)
    view = pareto_info(before.trials(), before.spec.objectives, lab.available_metrics())
    light = lab.export(study, tmp_path / "light.lab", artifacts=False)
    assert light.stat().st_size < 0.5 * file.stat().st_size
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "other"))
    assert lab.import_study(light) == study
    after = lab.study(study)
    assert [t.id for t in after.front()] == [t.id for t in before.front()]
    assert pareto_info(after.trials(), after.spec.objectives, lab.available_metrics()) == view
    assert after.pick().reason == before.pick().reason
    assert all(t.artifact and not t.artifact.path for t in after.trials() if t.state == "complete")
    assert (
        {t.id: lab.explain(t.id) for t in after.front()}
        == {t.id: lab.explain(t.id) for t in before.front()}
        != {}
    )
    again = lab.export(study, tmp_path / "again.lab")
    with zipfile.ZipFile(again) as archive, zipfile.ZipFile(light) as first:
        assert sorted(archive.namelist()) == sorted(first.namelist())


def test_notes_travel(
    file: Path, lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = lab.import_study(file)
    trial = lab.trials(study)[2].id
    lab.set_note(study, "**Ship** it")
    lab.set_note(study, "<b>Too slow</b>", trial)
    there = lab.export(study, tmp_path / "noted.lab", artifacts=False)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "other"))
    assert lab.notes(lab.import_study(there)) == {"": "**Ship** it", trial: "<b>Too slow</b>"}


def test_a_file_without_notes_is_read(file: Path, lab_home: Path, tmp_path: Path) -> None:
    assert (
        lab.notes(lab.import_study(changed(file, tmp_path / "x.lab", lambda v: v.pop("notes"))))
        == {}
    )


def test_only_files_that_trials_speak_of_are_kept(
    file: Path, lab_home: Path, tmp_path: Path
) -> None:
    extra = b"a stowaway"
    lab.import_study(
        changed(file, tmp_path / "x.lab", files={f"files/{sha256(extra).hexdigest()}.onnx": extra})
    )
    assert kept(lab_home)
    assert not [p for p in kept(lab_home) if p.read_bytes() == extra]


def test_a_bomb_is_refused_before_it_is_unpacked(
    file: Path, lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = bytes(importing.ALWAYS_ALLOWED_BYTES + 1)
    bomb = tmp_path / "bomb.lab"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study.json", json.dumps({"format": 1}))
        archive.writestr(f"files/{sha256(zeros).hexdigest()}.bin", zeros)
    assert bomb.stat().st_size < 1e5
    monkeypatch.setattr(importing, "_import", lambda archive: pytest.fail("it was opened"))
    with pytest.raises(InvalidFile, match="unpacks to more"):
        lab.import_study(bomb)


def test_a_bomb_in_the_json_is_refused(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "LARGEST_JSON_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.lab", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study.json", json.dumps({"format": 1, "x": " " * 1000}))
    with pytest.raises(InvalidFile, match="unpacks to more"):
        lab.import_study(tmp_path / "bomb.lab")


def test_sizes_that_lie_are_noticed(lab_home: Path, tmp_path: Path) -> None:
    """An archive that says of a member that it is smaller than it is gives no more than it said,
    and fails its checksum.
    """
    path = tmp_path / "x.lab"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study.json", b'{"format": 1, "x": "' + b" " * 10**6 + b'"}')
    lie = path.read_bytes().replace((10**6 + 22).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lie != path.read_bytes()
    path.write_bytes(lie)
    with pytest.raises(InvalidFile, match=r"not a readable .lab file"):
        lab.import_study(path)


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def first(value: dict[str, Any]) -> dict[str, Any]:
    return dict.__getitem__(value, "trials")[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["study"].update(id="../../x"),
        lambda v: v["study"].update(id=5),
        lambda v: v["study"].update(id="x" * 500),
        lambda v: v["study"].update(model={"a": 1}),
        lambda v: v["study"].update(title=[]),
        lambda v: v["study"].update(created_at="yesterday"),
        lambda v: v["study"].update(finished_at=5),
        lambda v: v["study"].update(title="\ud800"),
        lambda v: v["card"].update(title=5),
        lambda v: v["card"].update(input="x"),
        lambda v: v.update(environments={"e": 5}),
        lambda v: first(v).update(id="a/b"),
        lambda v: first(v).update(name=None),
        lambda v: first(v).update(position="1"),
        lambda v: first(v).update(position=10**30),
        lambda v: first(v).update(position=-1),
        lambda v: first(v).update(details=[]),
        lambda v: first(v).update(error="x"),
        lambda v: first(v).update(recipe=[{"technique": {}}]),
        lambda v: first(v).update(recipe=[{"technique": "../x"}]),
        lambda v: first(v).update(target={"runtime": "a.b"}),
        lambda v: first(v).update(float_operators={"x": "y"}),
        lambda v: first(v)["artifact"].update(format="os.path"),
        lambda v: first(v)["artifact"].update(sha256="../x"),
        lambda v: first(v)["artifact"].update(size_bytes="x"),
        lambda v: first(v)["artifact"].update(sha256="0" * 64),
        lambda v: first(v)["measurements"]["latency_s"].update(value="1"),
        lambda v: first(v)["measurements"]["latency_s"].update(low="x"),
        lambda v: first(v)["measurements"]["latency_s"].update(value=float("nan")),
        lambda v: first(v)["measurements"]["latency_s"].update(high=float("inf")),
        lambda v: first(v)["measurements"]["latency_s"].update(unit=3),
        lambda v: first(v)["measurements"]["latency_s"].update(source="made up"),
        lambda v: first(v)["measurements"]["latency_s"].update(flags=[1]),
        lambda v: first(v)["measurements"].update(x={"value": 1}),
        lambda v: v["trials"].append({**first(v)}),
        lambda v: v["study"]["spec"].update(space=5),
        lambda v: v.update(notes=[]),
        lambda v: v.update(notes={"": 5}),
        lambda v: v.update(notes={"gone": "x"}),
    ],
)
def test_made_up_values_are_refused_and_nothing_is_kept(
    file: Path, lab_home: Path, tmp_path: Path, change: Change
) -> None:
    with pytest.raises(UsageError):
        lab.import_study(changed(file, tmp_path / "x.lab", change))
    assert lab.studies() == []


def test_nothing_is_kept_of_a_file_that_is_refused(
    file: Path, lab_home: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile):
        lab.import_study(
            changed(file, tmp_path / "x.lab", lambda v: v["trials"][-1].update(name=5))
        )
    assert kept(lab_home) == []


def test_nesting_without_end_is_refused(lab_home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.lab", "w") as archive:
        archive.writestr("study.json", "[" * 10**6)
    with pytest.raises(InvalidFile, match=r"not a readable .lab file"):
        lab.import_study(tmp_path / "x.lab")


def test_a_name_that_trials_speak_of_is_still_no_path(
    file: Path, lab_home: Path, tmp_path: Path
) -> None:
    def speak(value: dict[str, Any]) -> None:
        first(value)["details"]["samples"] = {
            "path": "../../evil.json",
            "format": "json",
            "sha256": "0" * 64,
            "size_bytes": 4,
        }

    lab.import_study(changed(file, tmp_path / "x.lab", speak, {"files/../../evil.json": b"evil"}))
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes() == b"evil"]


def test_a_card_brings_no_path(file: Path, lab_home: Path, tmp_path: Path) -> None:
    study = lab.import_study(
        changed(file, tmp_path / "x.lab", lambda v: v["card"].update(path="/etc/passwd"))
    )
    assert lab.card_of(study).path == ""
