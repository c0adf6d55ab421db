"""Stores, `.lab` files, links, texts of specs, ids, public names and the command line of earlier
versions still work.

`tests/data/older` was written by `tests/data/make_older.py` with the code of commit 6b4840c: a
store with six studies (a list of recipes of which one fails, a guided search, a composition that
trains, a cancelled study, a sensitivity and a scaling study), two of them as `.lab` files, and what
that code said about all of it. The model files of the list are in `list.lab` only; those of the
other studies were left out, but for the source.
"""

from __future__ import annotations

import gzip
import inspect
import json
import zipfile
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import lab
from lab import registry
from lab.cli import commands
from lab.errors import LinkRevoked
from tests.data.make_older import as_json, flags
from tests.pages.conftest import open_page  # noqa: F401

OLDER = Path(__file__).parents[2] / "data/older"
WORDED = ("explanations",)
"""What is said about a trial in words, which may become better."""
FILES = ("artifact", "outputs", "answers", "samples", "anatomy", "profile")


@cache
def written(name: str) -> Any:
    """A value of the older code."""
    return json.loads(gzip.decompress((OLDER / f"{name}.json.gz").read_bytes()))


STUDIES: dict[str, str] = written("results")["studies"]


@pytest.fixture
def older(lab_home: Path) -> Path:
    """The older store, as the lab's own."""
    lab_home.mkdir()
    with zipfile.ZipFile(OLDER / "home.zip") as archive:
        archive.extractall(lab_home)
    with zipfile.ZipFile(OLDER / "list.lab") as archive:
        for name in archive.namelist():
            if name.startswith("files/"):
                lab_home.joinpath("artifacts", Path(name).name).write_bytes(archive.read(name))
    return lab_home


def missing(before: Any, now: Any, place: str = "") -> list[str]:
    """What differs from a value of the older code; what came to an object since then may be there."""
    if isinstance(before, dict) and isinstance(now, dict):
        wanted = {k: v for k, v in before.items() if k not in WORDED}
        gone = [f"{place}/{k} is gone" for k in wanted if k not in now]
        same = [k for k in wanted if k in now]
        return [*gone, *(d for k in same for d in missing(wanted[k], now[k], f"{place}/{k}"))]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [d for n, (a, b) in pairs for d in missing(a, b, f"{place}/{n}")]
    same = now == (pytest.approx(before) if isinstance(before, float) else before)
    return [] if same else [f"{place}: {before!r} became {now!r}"]


def numbers(value: Any) -> list[float]:
    """All numbers of a value, in their order: they stay where a field gets a better name."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [number for part in parts for number in numbers(part)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def as_shown(study: str) -> Any:
    return json.loads(json.dumps(lab.result_json(study)))


def picked(name: str) -> str | None:
    choice = lab.study(STUDIES[name]).pick()
    return choice.trial.id if choice.trial else None


def moved(value: Any, home: Path) -> Any:
    """A value of the older code with the paths of this home."""
    text = json.dumps(value).replace(f"{written('results')['home']}/", f"{home.resolve()}/")
    return json.loads(text)


# --- the store ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_shown_as_before(older: Path, name: str) -> None:
    shown = moved(written("results")["shown"][name], older)
    assert shown["trials"]
    assert not missing(shown, as_shown(STUDIES[name]))
    assert picked(name) == written("results")["picks"][name]


def test_evidence_is_read_as_before(older: Path) -> None:
    listed, asked = STUDIES["list"], written("results")["asked"]
    trials = {t.id: t for t in lab.trials(listed)}
    baseline = next(t.id for t in trials.values() if t.is_baseline)
    read = {
        "flips": lab.flips(asked, baseline),
        "anatomy": lab.anatomy(trials[asked]),
        "profile": lab.profile(trials[asked]),
        "latency_samples": lab.latency_samples(trials[asked]),
        "compare": lab.compare(asked, baseline),
        "per_class": lab.per_class(asked),
        "curves": lab.training_curves(STUDIES["composition"]),
        "course": lab.search_course(STUDIES["search"]),
        "spent": lab.search_spent(STUDIES["search"]),
        "sensitivity": lab.sensitivity(STUDIES["sensitivity"]),
        "scaling": lab.scaling(STUDIES["scaling"]),
        "float_agreement": lab.float_agreement(listed),
        "jobs": lab.jobs(listed),
    }
    before = written("results")["read"]
    assert set(read) == set(before)
    for name, value in read.items():
        expected = numbers(before[name])
        assert expected or name == "per_class"
        assert numbers(as_json(value)) == pytest.approx(expected), name


def test_links_and_notes_lead_where_they_led(older: Path, open_page: Any) -> None:
    first, second = written("results")["links"]
    for before in (first, second):
        assert as_json(lab.link(before["token"])) == before
    with pytest.raises(LinkRevoked):
        lab.link(written("results")["revoked"])
    assert [link.token for link in lab.links(STUDIES["list"])] == [first["token"]]
    assert lab.notes(STUDIES["list"]) == written("results")["notes"]
    for before in (first, second):
        app = open_page("study", link=before["token"])
        assert not app.exception
        assert not app.error


def test_the_text_of_a_spec_gives_the_same_spec(older: Path, open_page: Any) -> None:
    for name, text in written("results")["spec_texts"].items():
        spec = lab.spec_from_text(text)
        assert spec == lab.study(STUDIES[name]).spec
        assert not missing(
            written("results")["shown"][name]["study"]["spec"], as_json(spec.to_json())
        )
    app = open_page("sweep", spec=written("results")["spec_texts"]["search"])
    assert not app.exception
    assert not app.error


def test_nothing_is_left_to_resume_in_a_finished_study(older: Path) -> None:
    id_ = STUDIES["composition"]
    before, ran = as_shown(id_)["trials"], lab.jobs(id_)
    lab.resume(id_)
    assert lab.wait(id_).state == "complete"
    assert lab.jobs(id_) == ran
    assert as_shown(id_)["trials"] == before


@pytest.mark.slow
def test_unfinished_trials_are_resumed_and_the_others_stay(older: Path) -> None:
    before = {t.id: t for t in lab.trials(STUDIES["list"])}
    for name in ("list", "cancelled"):
        lab.resume(STUDIES[name])
        assert lab.wait(STUDIES[name]).state == "complete"
    for trial in lab.trials(STUDIES["list"]):
        assert trial.state == before[trial.id].state
        assert trial.measurements == before[trial.id].measurements
        assert (trial.error or {}).get("type") == (before[trial.id].error or {}).get("type")
    assert {t.state for t in lab.trials(STUDIES["cancelled"])} == {"complete"}


@pytest.mark.slow
def test_a_stored_sweep_runs_again_and_makes_files_that_are_gone(older: Path) -> None:
    """Keys may hold more than before, such as versions of libraries: then files are made again."""
    spec = lab.study(STUDIES["search"]).spec
    again = lab.wait(lab.start(spec))
    trials = lab.trials(again.id)
    assert {t.state for t in trials} == {"complete"}
    assert all(Path(t.artifact.path).is_file() for t in trials)
    known = {t.name: t.measurements for t in lab.trials(STUDIES["search"])}
    assert {t.name for t in trials} <= set(known)
    for trial in trials:
        assert set(trial.measurements) >= set(known[trial.name])


# --- .lab files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [("list", "list.lab"), ("composition", "composition_without_models.lab")],
)
def test_a_lab_file_is_imported_and_exported_again(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    before = written("results")["shown"][name]
    exported = OLDER / file
    for n in range(2):
        monkeypatch.setenv("LAB_HOME", str(tmp_path / f"home{n}"))
        assert lab.import_study(exported) == STUDIES[name]
        shown = as_shown(STUDIES[name])
        assert not missing(without_files(before), without_files(shown))
        assert shown["front"] == before["front"]
        assert picked(name) == written("results")["picks"][name]
        kept = [bool(t.artifact and t.artifact.path) for t in lab.trials(STUDIES[name])]
        assert any(kept) == (name == "list")
        exported = lab.export(STUDIES[name], tmp_path / f"again{n}.lab")
        assert lab.export(STUDIES[name], tmp_path / f"{n}.html").stat().st_size


def without_files(shown: dict[str, Any]) -> dict[str, Any]:
    """Names and places of files differ where a study was imported, and so do the ids of machines."""
    study = {k: v for k, v in shown["study"].items() if k != "revision"}
    return {"study": study, "trials": [_without_files(t) for t in shown["trials"]]}


def _without_files(trial: dict[str, Any]) -> dict[str, Any]:
    artifact = {k: v for k, v in (trial["artifact"] or {}).items() if k != "path"}
    details = {k: v for k, v in trial["details"].items() if k not in FILES}
    kept = {k: v for k, v in trial.items() if k != "environment"}
    return {**kept, "artifact": artifact, "details": details}


# --- ids, names, command line ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k in written("names")["ids"] if k != "models"])
def test_ids_and_options_are_still_there(kind: str) -> None:
    plugs = getattr(registry, kind)()
    assert set(written("names")["ids"][kind]) <= set(plugs)
    for place, before in written("names")["options"].items():
        of, id_ = place.split()
        if of == kind:
            now = {o.id: as_json(o.default) for o in plugs[id_].options}
            assert not missing(before, now, place)


def test_sample_models_are_still_there(lab_home: Path) -> None:
    assert set(written("names")["ids"]["models"]) <= set(lab.models())


def test_public_names_take_what_they_took() -> None:
    for name, before in written("names")["parameters"].items():
        now = [
            [p.name, p.kind.name] for p in inspect.signature(getattr(lab, name)).parameters.values()
        ]
        assert [p for p in before if p not in now] == [], name
        at_place = [p for p in before if p[1] == "POSITIONAL_OR_KEYWORD"]
        assert now[: len(at_place)] == at_place, name
    for name, before in written("names")["fields"].items():
        value = getattr(lab, name)
        assert is_dataclass(value)
        assert set(before) <= {f.name for f in fields(value)}, name


def test_the_command_line_takes_what_it_took() -> None:
    now = commands.parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    for command, before in written("names")["commands"].items():
        assert command in now  # type: ignore[operator]
        actions = [flags(action) for action in now[command]._actions]  # type: ignore[index]
        assert _positional(actions) == _positional(before), command
        options = _options(actions)
        for flag, (nargs, choices) in _options(before).items():
            assert flag in options, f"{command} lost {flag}"
            assert options[flag][0] == nargs, f"{command} {flag}"
            assert set(choices or ()) <= set(options[flag][1] or ()), f"{command} {flag}"


def _positional(actions: list[Any]) -> list[tuple[Any, Any]]:
    return [(nargs, choices) for _, strings, nargs, choices in actions if not strings]


def _options(actions: list[Any]) -> dict[str, tuple[Any, Any]]:
    """Flag -> how many values it takes, and which."""
    return {flag: (nargs, choices) for _, strings, nargs, choices in actions for flag in strings}
