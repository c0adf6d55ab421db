"""Rows in, values out: studies, trials, cached steps and results, models from disk."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, select, update

from lab.errors import UnknownId
from lab.home import home
from lab.spec.reading import spec_from_json
from lab.store import schema
from lab.store.blobs import is_whole, locate, locate_card
from lab.store.db import database_url, read, write
from lab.types import (
    FINISHED,
    Artifact,
    Measurement,
    ModelCard,
    Recipe,
    Study,
    StudySpec,
    Target,
    Trial,
    TrialDetails,
    digest_of,
)


def now() -> str:
    """The present time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# --- studies --------------------------------------------------------------------------------------


def add_study(
    study: Study, card: ModelCard, trials: Sequence[Trial], *, remeasure: bool = False
) -> None:
    """Write a queued study and all of its trials in one transaction."""
    row = {
        "id": study.id,
        "model": study.model,
        "title": study.title,
        "state": study.state,
        "spec": study.spec.to_json(),
        "card": card.to_json(),
        "created_at": study.created_at or now(),
        "remeasure": remeasure,
        "finished_at": study.finished_at,
    }
    with write() as connection:
        connection.execute(insert(schema.studies).values(row))
        if trials:
            connection.execute(insert(schema.trials), [_trial_row(trial) for trial in trials])


def extend_study(id_: str, spec: StudySpec, trials: Sequence[Trial]) -> None:
    """Add trials to a study, or give its search a larger budget, and queue it again, in one
    transaction; a running one takes them up when it is through.
    """
    table = schema.studies
    with write() as connection:
        if trials:
            connection.execute(insert(schema.trials), [_trial_row(trial) for trial in trials])
        _touch(connection, id_, {"spec": spec.to_json()})
        finished = (table.c.id == id_) & table.c.state.in_(FINISHED)
        again = {"state": "queued", "cancel_requested": False, "error": None, "finished_at": None}
        connection.execute(update(table).where(finished).values(again))


def add_trials(id_: str, rows: Callable[[int], Sequence[Trial]]) -> None:
    """Add trials to a study that runs.

    Args:
        rows: makes them, given the first position that is free; called within the transaction, so
            that nobody else takes it.
    """
    positions = select(func.max(schema.trials.c.position)).where(schema.trials.c.study == id_)
    with write() as connection:
        last = connection.execute(positions).scalar()
        made = rows(0 if last is None else last + 1)
        connection.execute(insert(schema.trials), [_trial_row(trial) for trial in made])
        _touch(connection, id_, {})


def finish_study(id_: str, state: str) -> None:
    """End a study; one that got further trials meanwhile is queued again instead."""
    waiting = (schema.trials.c.study == id_) & (schema.trials.c.state == "queued")
    with write() as connection:
        more = connection.execute(select(func.count()).where(waiting)).scalar()
        ended = {"state": state, "seconds_left": 0.0, "finished_at": now()}
        _touch(
            connection,
            id_,
            {"stage": "", **({"state": "queued"} if more and state == "complete" else ended)},
        )


def study(id_: str) -> Study:
    """One study.

    Raises:
        UnknownId: there is none of that id.
    """
    return _study(study_row(id_))


def study_row(id_: str) -> Row[Any]:
    """All columns of a study, for the engine."""
    with read() as connection:
        row = connection.execute(
            select(schema.studies).where(schema.studies.c.id == id_)
        ).one_or_none()
        if row is None:
            recent = connection.execute(
                select(schema.studies.c.id).order_by(schema.studies.c.created_at.desc()).limit(10)
            )
            raise UnknownId.of(
                "study", id_, recent.scalars().all(), "Look it up with: python -m lab studies"
            )
    return row


def studies(states: Iterable[str] | None = None) -> list[Study]:
    """All studies, newest first."""
    query = select(schema.studies).order_by(schema.studies.c.created_at.desc(), schema.studies.c.id)
    if states is not None:
        query = query.where(schema.studies.c.state.in_(list(states)))
    with read() as connection:
        return [_study(row) for row in connection.execute(query)]


def update_study(id_: str, **values: Any) -> None:
    """Change columns of a study and raise its revision."""
    with write() as connection:
        _touch(connection, id_, values)


def _touch(connection: Connection, id_: str, values: Mapping[str, Any]) -> None:
    table = schema.studies
    connection.execute(
        update(table).where(table.c.id == id_).values(revision=table.c.revision + 1, **values)
    )


def _study(row: Row[Any]) -> Study:
    spec = spec_from_json(row.spec)
    return Study(
        row.id,
        row.model,
        row.state,
        spec,
        row.title,
        row.created_at,
        row.finished_at,
        row.revision,
        row.error,
    )


# --- trials ---------------------------------------------------------------------------------------


def trials(study_id: str) -> list[Trial]:
    """The trials of a study in the order of its plan.

    Whatever changes a trial raises its study's revision, so what was read once is kept for as long
    as that stays: a page asks a dozen
    times for the same trials, and 5,000 of them take most of a second to read.
    """
    revision_of = select(schema.studies.c.revision).where(schema.studies.c.id == study_id)
    query = (
        select(schema.trials)
        .where(schema.trials.c.study == study_id)
        .order_by(schema.trials.c.position)
    )
    with read() as connection:
        place = (database_url(), str(home()), study_id)
        revision = connection.execute(revision_of).scalar()
        if (kept := _kept.get(place)) and kept[0] == revision:
            return list(kept[1])
        with _nothing_is_garbage():
            found = _trials(connection.execute(query).all())
    with _keeping:
        _kept.pop(place, None)
        _kept[place] = (revision, tuple(found))
        while len(_kept) > KEPT_STUDIES:
            del _kept[next(iter(_kept))]
    return found


KEPT_STUDIES = 16
_kept: dict[tuple[str, str, str], tuple[int | None, tuple[Trial, ...]]] = {}
_keeping = threading.Lock()


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """No search for garbage while hundreds of thousands of small objects are made to stay: it would
    take as long as making them.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _trials(rows: Sequence[Row[Any]]) -> list[Trial]:
    files = locate([{"artifact": row.artifact} for row in rows])
    details = locate([row.details for row in rows])
    return [
        _trial(r, Artifact(**f["artifact"]) if r.artifact else None, d)
        for r, f, d in zip(rows, files, details, strict=True)
    ]


def trial(id_: str) -> Trial:
    """One trial; its id begins with its study's.

    Raises:
        UnknownId: there is none of that id.
    """
    found = next((t for t in trials(id_.rpartition("-")[0]) if t.id == id_), None)
    if found is None:
        raise UnknownId(
            "There is no trial of that id",
            given=id_,
            remedy="Look it up with: python -m lab show STUDY",
        )
    return found


def update_trials(study_id: str, changed: Sequence[Trial]) -> None:
    """Write trials back and raise the study's revision, in one transaction."""
    rows = [
        {f"new_{k}": v for k, v in _trial_row(t).items() if k in _CHANGING} | {"this": t.id}
        for t in changed
    ]
    with write() as connection:
        connection.execute(_UPDATE_TRIAL, rows)
        _touch(connection, study_id, {})


_CHANGING = (
    "state",
    "cached",
    "error",
    "artifact",
    "measurements",
    "environment",
    "float_operators",
    "details",
)
_UPDATE_TRIAL = (
    update(schema.trials)
    .where(schema.trials.c.id == bindparam("this"))
    .values({k: bindparam(f"new_{k}", type_=schema.trials.c[k].type) for k in _CHANGING})
)


def reset_unfinished(study_id: str) -> None:
    """Queue a study again with its failed and cancelled trials, and forget the failures that were
    remembered for them.
    """
    again = [t for t in trials(study_id) if t.state in ("failed", "cancelled")]
    forget = [t.error["key"] for t in again if t.error and "key" in t.error]
    blank: dict[str, Any] = {
        "state": "queued",
        "error": None,
        "artifact": None,
        "measurements": {},
        "details": {},
        "cached": False,
    }
    with write() as connection:
        for table in (schema.steps, schema.results):
            connection.execute(delete(table).where(table.c.key.in_(forget)))
        for trial in again:
            connection.execute(
                update(schema.trials).where(schema.trials.c.id == trial.id).values(blank)
            )
        _touch(
            connection,
            study_id,
            {"state": "queued", "cancel_requested": False, "error": None, "finished_at": None},
        )


def cancel_queued() -> None:
    """End the studies that were cancelled before their turn came."""
    studies_, trials_ = schema.studies, schema.trials
    with read() as connection:
        query = select(studies_.c.id).where(
            studies_.c.state == "queued", studies_.c.cancel_requested
        )
        ids = list(connection.execute(query).scalars())
    for id_ in ids:
        with write() as connection:
            error = {"type": "JobCancelled", "message": "The study was cancelled before it began."}
            waiting = (trials_.c.study == id_) & trials_.c.state.in_(("queued", "running"))
            connection.execute(
                update(trials_).where(waiting).values(state="cancelled", error=error)
            )
            _touch(connection, id_, {"state": "cancelled", "stage": "", "finished_at": now()})


def counts(study_id: str) -> dict[str, int]:
    """State -> number of trials in it."""
    query = select(schema.trials.c.state, func.count()).where(schema.trials.c.study == study_id)
    with read() as connection:
        return {
            row.state: row[1] for row in connection.execute(query.group_by(schema.trials.c.state))
        }


def _trial_row(trial: Trial) -> dict[str, Any]:
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


def _trial(row: Row[Any], artifact: Artifact | None, details: Mapping[str, Any]) -> Trial:
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


# --- what is already known ------------------------------------------------------------------------


def known_step(key: str) -> dict[str, Any] | None:
    """The stored outcome of a step, or None."""
    return known_steps([key]).get(key)


def known_steps(wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Key -> stored outcome, of those of the wanted steps that are known."""
    return _known_of(schema.steps, wanted)


def known_results(wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Key -> stored outcome, of those of the wanted evaluations and measurements that are known."""
    return _known_of(schema.results, wanted)


def _known_of(table: Table, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with read() as connection:
        for start in range(0, len(wanted), 500):  # SQLite bounds the number of parameters
            part = table.c.key.in_(wanted[start : start + 500])
            rows = connection.execute(select(table.c.key, table.c.outcome).where(part)).all()
            found |= zip(
                [row.key for row in rows], locate([row.outcome for row in rows]), strict=True
            )
    return {key: outcome for key, outcome in found.items() if is_whole(outcome)}


def known_result(key: str) -> dict[str, Any] | None:
    """The stored outcome of an evaluation or a measurement, or None."""
    return known_results([key]).get(key)


def remember_step(key: str, technique: str, outcome: Mapping[str, Any], seconds: float) -> None:
    """Keep a step's outcome for every later study."""
    _remember(
        schema.steps, key, {"technique": technique, "outcome": dict(outcome), "seconds": seconds}
    )


def remember_result(key: str, kind: str, outcome: Mapping[str, Any], seconds: float) -> None:
    """Keep an evaluation's or a measurement's outcome for every later study."""
    _remember(schema.results, key, {"kind": kind, "outcome": dict(outcome), "seconds": seconds})


def keep_curve(key: str, technique: str, phases: Sequence[Mapping[str, Any]]) -> None:
    """Keep how a training of a step goes, for who watches it: the curves so far, see
    `lab.finetuning.loop`.
    """
    table, row = (
        schema.curves,
        {"technique": technique, "phases": list(phases), "updated_at": time.time()},
    )
    with write() as connection:
        if connection.execute(update(table).where(table.c.key == key).values(row)).rowcount == 0:
            connection.execute(insert(table).values(key=key, **row))


def curves(keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Key of a step -> {"technique", "phases", "updated_at"}, of those that have begun to train."""
    table, found = schema.curves, dict[str, dict[str, Any]]()
    with read() as connection:
        for start in range(0, len(keys), 500):
            rows = connection.execute(
                select(table).where(table.c.key.in_(keys[start : start + 500]))
            )
            found |= {
                row.key: {k: v for k, v in row._mapping.items() if k != "key"} for row in rows
            }
    return found


def _remember(table: Table, key: str, values: Mapping[str, Any]) -> None:
    row = {**values, "created_at": now()}
    with write() as connection:
        if connection.execute(update(table).where(table.c.key == key).values(row)).rowcount == 0:
            connection.execute(insert(table).values(key=key, **row))


def step_seconds() -> dict[str, float]:
    """Technique -> mean seconds of its steps so far."""
    query = select(schema.steps.c.technique, func.avg(schema.steps.c.seconds)).group_by(
        schema.steps.c.technique
    )
    with read() as connection:
        return {technique: float(seconds) for technique, seconds in connection.execute(query)}


def result_seconds() -> dict[str, float]:
    """Kind of result -> mean seconds of one."""
    query = select(schema.results.c.kind, func.avg(schema.results.c.seconds)).group_by(
        schema.results.c.kind
    )
    with read() as connection:
        return {kind: float(seconds) for kind, seconds in connection.execute(query)}


# --- environments, jobs, models from disk ---------------------------------------------------------


def keep_environment(payload: Mapping[str, Any]) -> str:
    """Store an environment under the digest of its content; returns that digest."""
    id_ = digest_of(payload)[:16]
    table = schema.environments
    with read() as connection:
        if connection.execute(select(table.c.id).where(table.c.id == id_)).scalar() is not None:
            return id_
    with write() as connection:
        connection.execute(insert(table).values(id=id_, payload=dict(payload)))
    return id_


def environment(id_: str) -> dict[str, Any]:
    """The environment of that id.

    Raises:
        UnknownId: there is none.
    """
    with read() as connection:
        found = connection.execute(
            select(schema.environments.c.payload).where(schema.environments.c.id == id_)
        ).scalar()
    if found is None:
        raise UnknownId("There is no environment of that id", given=id_)
    return dict(found)


def add_job(**values: Any) -> None:
    """Keep when and where a job ran (columns of `schema.jobs`)."""
    with write() as connection:
        connection.execute(insert(schema.jobs).values(values))


def jobs(study_id: str | None = None) -> list[dict[str, Any]]:
    """Every job that ran, in the order of its start, of one study or of all."""
    query = select(schema.jobs).order_by(schema.jobs.c.started_at)
    if study_id is not None:
        query = query.where(schema.jobs.c.study == study_id)
    with read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def measuring_seconds(study_id: str) -> float:
    """Seconds that a study spent measuring latency and memory, while nothing else of the lab
    ran.
    """
    return float(
        sum(j["finished_at"] - j["started_at"] for j in jobs(study_id) if j["kind"] == "measure")
    )


def add_model(card: ModelCard) -> None:
    """Register (or register again) a model from disk."""
    table = schema.models
    row = {"card": card.to_json(), "created_at": now()}
    with write() as connection:
        if connection.execute(update(table).where(table.c.id == card.id).values(row)).rowcount == 0:
            connection.execute(insert(table).values(id=card.id, **row))


def added_models() -> dict[str, ModelCard]:
    """Models that were registered from disk, by id."""
    with read() as connection:
        cards = connection.execute(
            select(schema.models.c.card).order_by(schema.models.c.id)
        ).scalars()
        return {card["id"]: ModelCard.from_json(locate_card(card)) for card in cards}
