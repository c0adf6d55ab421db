"""Reads `.lab` files, which come from anybody: nothing in one is run, no name in one is a path, and
what does not add up is refused before anything is kept.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from sqlalchemy.exc import IntegrityError

from lab.errors import InvalidFile, UnknownId
from lab.spec.reading import spec_from_json
from lab.store import records, sharing
from lab.store.blobs import keep, sha256_of
from lab.types import (
    FINISHED,
    Artifact,
    Measurement,
    ModelCard,
    Recipe,
    Source,
    State,
    Study,
    Target,
    Trial,
    TrialDetails,
)

CARRIED = ("answers", "samples", "anatomy", "profile")
"""Names of the files among a trial's details that travel with it."""
FORMAT_VERSION = 1
LARGEST_ENTRY_BYTES, LARGEST_JSON_BYTES = 512 * 2**20, 256 * 2**20
MOST_TIMES_LARGER, ALWAYS_ALLOWED_BYTES = 50, 64 * 2**20
"""How much larger than the file all that it holds may be: weights pack to a half or a tenth, JSON
to a tenth; a bomb to a thousandth.
"""
_NAME = re.compile(r"[0-9a-f]{64}(\.[A-Za-z0-9_]{1,20})?")
_ID, _WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}"), re.compile(r"[a-z0-9_]{1,40}")
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    IntegrityError,
)
"""What reading a damaged or made-up file may raise; RuntimeError is what an encrypted one does."""


def import_study(path: Path) -> str:
    """Read a `.lab` file into this store.

    Returns:
        the study's id; one that is here already is left as it is.

    Raises:
        InvalidFile: not a `.lab` file, damaged, or of a later version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path.stat().st_size)
            return _import(archive)
    except (*DAMAGE, OSError) as error:
        raise InvalidFile(
            "This is not a readable .lab file", given=str(path), remedy=f"Export it again ({error})"
        ) from error


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    """By what the archive says of itself, which it is held to when it is read."""
    whole = sum(info.file_size for info in archive.infolist())
    allowed = max(ALWAYS_ALLOWED_BYTES, MOST_TIMES_LARGER * size)
    if whole > allowed or archive.getinfo("study.json").file_size > LARGEST_JSON_BYTES:
        raise InvalidFile(
            "This .lab file unpacks to more than a study can hold",
            allowed=f"{allowed:,} bytes",
            given=f"{whole:,} bytes",
        )


def _import(archive: zipfile.ZipFile) -> str:
    value = json.loads(archive.read("study.json"))
    if value.get("format") != FORMAT_VERSION:
        raise InvalidFile(
            "This .lab file is of another version",
            allowed=str(FORMAT_VERSION),
            given=value.get("format"),
        )
    json.dumps(
        value, ensure_ascii=False
    ).encode()  # text that cannot be written down again is no text
    try:
        return records.study(_matching(_ID, value["study"]["id"])).id
    except UnknownId:
        pass
    with TemporaryDirectory() as folder:
        files = _unpacked(archive, _wanted(value["trials"]), Path(folder))
        _trials(
            value,
            {name: Artifact(name, "", file.name.split(".")[0], 0) for name, file in files.items()},
            {},
        )
        study, card, notes = _study(value["study"]), _card(value["card"]), _notes(value)
        kept = {name: keep(file, file.suffix.lstrip(".")) for name, file in files.items()}
    ids = {
        old: records.keep_environment(_table(payload))
        for old, payload in value["environments"].items()
    }
    records.add_study(study, card, _trials(value, kept, ids))
    for trial, text in notes.items():
        sharing.set_note(study.id, text, trial)
    return study.id


def _notes(value: Mapping[str, Any]) -> dict[str, str]:
    """Notes on the study ("") and its trials; none in a file of an earlier version."""
    notes, known = _table(value.get("notes", {})), {"", *(t["id"] for t in value["trials"])}
    if not set(notes) <= known:
        raise ValueError("a note is on a trial that is not there")
    return {trial: _text(text)[: sharing.LONGEST_NOTE] for trial, text in notes.items()}


# --- files ----------------------------------------------------------------------------------------


def _wanted(trials: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the files that the trials refer to."""
    files = [
        file
        for t in trials
        for file in (t["artifact"], *(t["details"].get(name) for name in CARRIED))
        if file
    ]
    return {str(file["path"]) for file in files}


def _unpacked(archive: zipfile.ZipFile, wanted: set[str], folder: Path) -> dict[str, Path]:
    """Unpack the wanted files, by name, each checked against the digest that is its name; others
    stay packed.
    """
    unpacked = {}
    for info in archive.infolist():
        name = info.filename.removeprefix("files/")
        if (
            info.filename != f"files/{name}"
            or not _NAME.fullmatch(name)
            or name not in wanted
            or info.file_size > LARGEST_ENTRY_BYTES
        ):
            continue
        unpacked[name] = folder / name
        with archive.open(info) as source, unpacked[name].open("wb") as target:
            shutil.copyfileobj(source, target)
        if sha256_of(unpacked[name]) != name.split(".")[0]:
            raise InvalidFile("A file in the .lab file is not what its name says", given=name)
    return unpacked


# --- values ---------------------------------------------------------------------------------------


def _matching(pattern: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is no name")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:80]!r} is no table of values")
    return value


def _moment(value: Any) -> str:
    datetime.fromisoformat(_text(value))
    return _text(value)


def _study(head: Mapping[str, Any]) -> Study:
    finished = head["finished_at"]
    return Study(
        _matching(_ID, head["id"]),
        _matching(_ID, head["model"]),
        _ended(head["state"]),
        spec_from_json(head["spec"]),
        _text(head["title"])[:200],
        _moment(head["created_at"]),
        None if finished is None else _moment(finished),
    )


def _card(value: Mapping[str, Any]) -> ModelCard:
    """Card without a file: the model itself does not travel, and a path of another machine means
    nothing here.
    """
    card = ModelCard.from_json({**value, "path": ""})
    for text in (
        card.id,
        card.title,
        card.task,
        card.framework,
        card.format,
        card.dataset,
        card.licence,
        card.provenance,
        card.description,
    ):
        _text(text)
    return card


def _ended(state: Any) -> State:
    """State of an imported study or trial: an unfinished one is cancelled, since no engine here
    shall continue it.
    """
    return state if state in FINISHED else "cancelled"


def _trials(
    value: Mapping[str, Any], kept: Mapping[str, Artifact], environments: Mapping[str, str]
) -> list[Trial]:
    return [_trial(t, value["study"]["id"], kept, environments) for t in value["trials"]]


def _trial(
    value: Mapping[str, Any],
    study: str,
    kept: Mapping[str, Artifact],
    environments: Mapping[str, str],
) -> Trial:
    details = dict(_table(value["details"]))
    carried = {name: details.pop(name, None) for name in CARRIED}
    details |= {
        name: kept[file["path"]].to_json()
        for name, file in carried.items()
        if file and file["path"] in kept
    }
    error = value["error"]
    return Trial(
        id=_matching(_ID, value["id"]),
        study=study,
        position=_position(value["position"]),
        name=_text(value["name"]),
        recipe=_recipe(value["recipe"]),
        target=_target(value["target"]),
        state=_ended(value["state"]),
        is_baseline=bool(value["baseline"]),
        cached=bool(value["cached"]),
        error=None if error is None else _table(error),
        artifact=_artifact(value["artifact"], kept),
        environment=environments.get(value["environment"] or ""),
        measurements={
            _text(k): _measurement(k, m) for k, m in _table(value["measurements"]).items()
        },
        float_operators={k: int(n) for k, n in _table(value["float_operators"]).items()},
        details=TrialDetails.from_json(details),
    )


def _position(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError(f"{value!r} is no position")
    return value


def _recipe(value: Any) -> Recipe:
    recipe = Recipe.from_json(value)
    for step in recipe.steps:
        _matching(_WORD, step.technique)
    return recipe


def _target(value: Mapping[str, Any]) -> Target:
    target = Target.from_json(value)
    _matching(_WORD, target.runtime)
    return target


def _artifact(value: Any, kept: Mapping[str, Artifact]) -> Artifact | None:
    if value is None:
        return None
    artifact = kept.get(value["path"])
    if artifact and artifact.sha256 != value["sha256"]:
        raise InvalidFile(
            "A file in the .lab file is not its trial's",
            allowed=value["sha256"],
            given=artifact.sha256,
        )
    format_, sha = _matching(_WORD, value["format"]), _matching(_NAME, value["sha256"])
    return Artifact(artifact.path if artifact else "", format_, sha, int(value["size_bytes"]))


def _measurement(metric: str, value: Mapping[str, Any]) -> Measurement:
    m = Measurement.from_json(metric, value)
    for one in (m, *m.parts):
        numbers = [one.value, one.n, *(end for end in (one.low, one.high) if end is not None)]
        if not all(
            isinstance(number, int | float) and isfinite(number) for number in numbers
        ) or one.source not in get_args(Source):
            raise ValueError(f"{metric} is no measurement")
        _text(one.unit)
        for flag in one.flags:
            _text(flag)
    return m
