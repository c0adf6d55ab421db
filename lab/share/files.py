"""Studies as files: CSV, Parquet and JSON for other tools, and `.lab`, a ZIP with spec, results, environment and files, for other labs."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from lab.errors import InvalidFile, UnknownId, UsageError
from lab.recipe import spec_from_json
from lab.share.result import result_json
from lab.store import records
from lab.store.blobs import keep, sha256_of
from lab.types import FINISHED, Artifact, Measurement, ModelCard, Recipe, State, Study, Target, Trial

if TYPE_CHECKING:
    import pandas as pd

CARRIED = ("samples", "anatomy", "profile")
"""Names of the files among a trial's details that travel with it."""
EXAMPLE = Path(__file__).with_name("example.lab")
FORMAT_VERSION = 1
LARGEST_ENTRY_BYTES = 512 * 2**20
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
    IntegrityError,
)
"""What reading a damaged or made-up file may raise."""


def export(study_id: str, to: Path) -> Path:
    """Write a study in the form that the file's ending names.

    Raises:
        UsageError: an unknown ending.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet, ".json": _write_json, ".lab": _write_lab}
    if to.suffix not in writers:
        raise UsageError("No export of that ending", allowed=", ".join(writers), given=to.name)
    records.study(study_id)
    writers[to.suffix](study_id, to)
    return to


def table(trials: list[Trial]) -> pd.DataFrame:
    """One row a trial: name, target, state, every measurement with its interval, parameters of its last step, error."""
    import pandas as pd

    return pd.DataFrame([_row(trial) for trial in trials])


def _row(trial: Trial) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": trial.id,
        "name": trial.name,
        **trial.target.to_json(),
        "state": trial.state,
        "cached": trial.cached,
    }
    for id_, m in trial.measurements.items():
        row |= {
            id_: m.value,
            f"{id_}_low": m.low,
            f"{id_}_high": m.high,
            f"{id_}_n": m.n,
            f"{id_}_flags": " ".join(m.flags),
        }
    row |= {"sha256": trial.artifact.sha256 if trial.artifact else None, "environment": trial.environment}
    return {
        **row,
        "recipe": json.dumps(trial.recipe.to_json()),
        "error": trial.error["message"] if trial.error else None,
    }


def _write_csv(study_id: str, to: Path) -> None:
    table(records.trials(study_id)).to_csv(to, index=False)


def _write_parquet(study_id: str, to: Path) -> None:
    table(records.trials(study_id)).to_parquet(to, index=False)


def _write_json(study_id: str, to: Path) -> None:
    to.write_text(json.dumps(result_json(study_id), indent=1))


def _write_lab(study_id: str, to: Path) -> None:
    study, card, trials = records.study(study_id), records.study_row(study_id).card, records.trials(study_id)
    environments = {t.environment: records.environment(t.environment) for t in trials if t.environment}
    files = {Path(f["path"]).name: Path(f["path"]) for t in trials for f in _files(t)}
    value = {"format": FORMAT_VERSION, "study": {"id": study.id, "model": study.model, "title": study.title, "state": study.state,
             "created_at": study.created_at, "finished_at": study.finished_at, "spec": study.spec.to_json()},
             "card": {**card, "path": ""}, "environments": environments, "trials": [_portable(t) for t in trials]}  # fmt: skip
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("study.json", json.dumps(value, indent=1))
        for name in sorted(files):
            if files[name].exists():
                archive.write(files[name], f"files/{name}")


def _files(trial: Trial) -> list[dict[str, Any]]:
    kept = [*(trial.details.get(name) for name in CARRIED), trial.artifact.to_json() if trial.artifact else None]
    return [file for file in kept if file]


def _portable(trial: Trial) -> dict[str, Any]:
    """Without this machine's paths: files are known by name."""
    value = trial.to_json()
    details = {k: v for k, v in value["details"].items() if k != "outputs"}
    details |= {name: _by_name(details[name]) for name in CARRIED if details.get(name)}
    return {**value, "position": trial.position, "artifact": _by_name(value["artifact"]), "details": details}


def _by_name(file: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**file, "path": Path(file["path"]).name} if file else None


def import_study(path: Path) -> str:
    """Read a `.lab` file into this store.

    Returns:
        the study's id; one that is here already is left as it is.

    Raises:
        InvalidFile: not a `.lab` file, damaged, or of a later version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _import(archive)
    except (*DAMAGE, OSError) as error:
        raise InvalidFile(
            "This is not a readable .lab file", given=str(path), remedy=f"Export it again ({error})"
        ) from error


def _import(archive: zipfile.ZipFile) -> str:
    value = json.loads(archive.read("study.json"))
    if value.get("format") != FORMAT_VERSION:
        raise InvalidFile(
            "This .lab file is of another version", allowed=str(FORMAT_VERSION), given=value.get("format")
        )
    head = value["study"]
    try:
        return records.study(head["id"]).id
    except UnknownId:
        pass
    kept = _keep_files(archive)
    ids = {old: records.keep_environment(payload) for old, payload in value["environments"].items()}
    study = Study(head["id"], head["model"], _ended(head["state"]), spec_from_json(head["spec"]), head["title"], head["created_at"],
                  head["finished_at"])  # fmt: skip
    trials = [_read_trial(t, study.id, kept, ids) for t in value["trials"]]
    records.add_study(study, ModelCard.from_json(value["card"]), trials)
    return study.id


def _keep_files(archive: zipfile.ZipFile) -> dict[str, Artifact]:
    """Name -> file in the store, each checked against the digest that is its name."""
    kept = {}
    for info in archive.infolist():
        name = PurePosixPath(info.filename).name
        if info.filename != f"files/{name}" or info.file_size > LARGEST_ENTRY_BYTES:
            continue
        with TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(archive.read(info))
            if sha256_of(file) != name.split(".")[0]:
                raise InvalidFile("A file in the .lab file is not what its name says", given=name)
            kept[name] = keep(file, file.suffix.lstrip("."))
    return kept


def _ended(state: State) -> State:
    """What was not finished when the file was written never will be: no engine here shall take it up."""
    return state if state in FINISHED else "cancelled"


def _read_trial(value: dict[str, Any], study: str, kept: dict[str, Artifact], environments: dict[str, str]) -> Trial:
    details = dict(value["details"])
    told = {name: details.pop(name, None) for name in CARRIED}
    details |= {name: kept[file["path"]].to_json() for name, file in told.items() if file and file["path"] in kept}
    artifact = value["artifact"]
    if artifact:
        found = kept.get(artifact["path"])
        if found and found.sha256 != artifact["sha256"]:
            raise InvalidFile(
                "A file in the .lab file is not its trial's", allowed=artifact["sha256"], given=found.sha256
            )
        artifact = Artifact(**{**artifact, "path": found.path if found else ""})
    return Trial(
        id=value["id"], study=study, position=value["position"], name=value["name"], recipe=Recipe.from_json(value["recipe"]),
        target=Target.from_json(value["target"]), state=_ended(value["state"]), is_baseline=value["baseline"], cached=value["cached"],
        error=value["error"], artifact=artifact, environment=environments.get(value["environment"] or ""),
        measurements={k: Measurement.from_json(k, m) for k, m in value["measurements"].items()},
        float_operators=value["float_operators"], details=details,
    )  # fmt: skip
