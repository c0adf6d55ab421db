"""Studies as files: tables, JSON, reports and notebooks for other tools and people, and `.lab`, a
ZIP with spec, results, environment and files, for other labs.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.engine.predictions import portable_predictions
from lab.errors import UsageError
from lab.share.importing import CARRIED, FORMAT_VERSION
from lab.share.notebook import write_notebook
from lab.share.report.page import write_report
from lab.share.result import result_json
from lab.store import records, sharing
from lab.types import ModelCard, Trial

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = Path(__file__).with_name("example.lab")


def export(
    study_id: str, to: Path, *, artifacts: bool = True, notes: Mapping[str, str] | None = None
) -> Path:
    """Write a study in the form that the file's ending names.

    Args:
        artifacts: whether a .lab file holds the model files.
        notes: what people wrote about the study ("") and its trials (by id), for a report.

    Raises:
        UsageError: an unknown ending.
        UnknownId: there is no such study.
    """
    writers: dict[str, Callable[[str, Path], None]] = {
        ".csv": _write_csv,
        ".parquet": _write_parquet,
        ".json": _write_json,
        ".lab": partial(_write_lab, artifacts=artifacts),
        ".html": partial(write_report, notes=notes),
        ".ipynb": write_notebook,
    }
    if to.suffix not in writers:
        raise UsageError("No export of that ending", allowed=", ".join(writers), given=to.name)
    records.study(study_id)
    writers[to.suffix](study_id, to)
    return to


def table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial: name, target, state, every measurement with its interval, parameters of its
    last step, error.
    """
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
    row |= {
        "sha256": trial.artifact.sha256 if trial.artifact else None,
        "environment": trial.environment,
    }
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


def _write_lab(study_id: str, to: Path, *, artifacts: bool = True) -> None:
    study, card = records.study(study_id), records.study_row(study_id).card
    model_card = records.card_of(study_id)
    trials = [_with_predictions(t, model_card) for t in records.trials(study_id)]
    environments = {
        t.environment: records.environment(t.environment) for t in trials if t.environment
    }
    files = {Path(f["path"]).name: Path(f["path"]) for t in trials for f in _files(t, artifacts)}
    value = {
        "format": FORMAT_VERSION,
        "study": {
            "id": study.id,
            "model": study.model,
            "title": study.title,
            "state": study.state,
            "created_at": study.created_at,
            "finished_at": study.finished_at,
            "spec": study.spec.to_json(),
        },
        "card": {**card, "path": ""},
        "environments": environments,
        "trials": [_portable(t) for t in trials],
        "notes": sharing.notes(study_id),
    }
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("study.json", json.dumps(value, indent=1))
        for name in sorted(files):
            if files[name].is_file():
                archive.write(files[name], f"files/{name}")


def _with_predictions(trial: Trial, card: ModelCard) -> Trial:
    """The trial with its predictions in a compact form, so that flipped test items can be found in
    another lab, too.
    """
    predictions = portable_predictions(trial, card)
    if predictions is None:
        return trial
    return replace(trial, details=replace(trial.details, predictions=predictions))


def _files(trial: Trial, artifacts: bool) -> list[dict[str, Any]]:
    details = trial.details.to_json()
    kept = [
        *(details.get(name) for name in CARRIED),
        trial.artifact.to_json() if trial.artifact and artifacts else None,
    ]
    return [file for file in kept if file]


def _portable(trial: Trial) -> dict[str, Any]:
    """Without this machine's paths: files are known by name."""
    value = trial.to_json()
    details = {k: v for k, v in value["details"].items() if k != "outputs"}
    details |= {name: _by_name(details[name]) for name in CARRIED if details.get(name)}
    return {
        **value,
        "position": trial.position,
        "artifact": _by_name(value["artifact"]),
        "details": details,
    }


def _by_name(file: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**file, "path": Path(file["path"]).name} if file else None
