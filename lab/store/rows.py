"""Rows of studies and trials as values, and values as rows.

Specs and cards are parsed once a process: equal JSON gives the same value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, update

from lab.spec.reading import spec_from_json
from lab.store import schema
from lab.store.blobs import locate_card
from lab.types import (
    Artifact,
    Measurement,
    ModelCard,
    Recipe,
    Study,
    StudySpec,
    Target,
    Trial,
    TrialDetails,
    canonical_json,
)

PARSED = 128
"""Specs and cards that are kept."""


def now() -> str:
    """The present time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def touch(connection: Connection, id_: str, values: Mapping[str, Any]) -> None:
    """Change columns of a study and raise its revision."""
    table = schema.studies
    connection.execute(
        update(table).where(table.c.id == id_).values(revision=table.c.revision + 1, **values)
    )


def study_of(row: Row[Any]) -> Study:
    """The study of a row."""
    return Study(
        row.id,
        row.model,
        row.state,
        spec_of(row),
        row.title,
        row.created_at,
        row.finished_at,
        row.revision,
        row.error,
    )


def spec_of(row: Row[Any]) -> StudySpec:
    """The spec of a study's row."""
    return _spec(canonical_json(row.spec))


@lru_cache(maxsize=PARSED)
def _spec(text: str) -> StudySpec:
    return spec_from_json(json.loads(text))


def card_in(row: Row[Any]) -> ModelCard:
    """The card of a study's row, with its model file as it lies now."""
    return _card(canonical_json(locate_card(row.card)))


@lru_cache(maxsize=PARSED)
def _card(text: str) -> ModelCard:
    return ModelCard.from_json(json.loads(text))


def trial_row(trial: Trial) -> dict[str, Any]:
    """The row of a trial."""
    value = trial.to_json()
    row = {
        k: value[k]
        for k in (
            "id",
            "name",
            "recipe",
            "target",
            "state",
            "cached",
            "error",
            "artifact",
            "measurements",
            "environment",
            "float_operators",
            "details",
        )
    }
    return {
        **row,
        "study": trial.study,
        "position": trial.position,
        "is_baseline": trial.is_baseline,
    }


def trial_of(row: Row[Any], artifact: Artifact | None, details: Mapping[str, Any]) -> Trial:
    """The trial of a row, with its files as they lie now."""
    return Trial(
        id=row.id,
        study=row.study,
        position=row.position,
        name=row.name,
        recipe=Recipe.from_json(row.recipe),
        target=Target.from_json(row.target),
        state=row.state,
        is_baseline=row.is_baseline,
        cached=row.cached,
        error=row.error,
        artifact=artifact,
        measurements={k: Measurement.from_json(k, m) for k, m in row.measurements.items()},
        environment=row.environment,
        float_operators=row.float_operators,
        details=TrialDetails.from_json(details),
    )
