"""Trials in the database, and the one place where they are kept in memory."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Row, bindparam, delete, func, select, update

from lab.errors import UnknownId
from lab.home import home
from lab.store import schema
from lab.store.blobs import locate
from lab.store.db import database_url, read, write
from lab.store.rows import now, touch, trial_of, trial_row
from lab.types import Artifact, Trial

KEPT_STUDIES = 16
View = TypeVar("View", bound=Trial)


@dataclass(frozen=True)
class _Kept:
    """Trials of a study at a revision.

    Attributes:
        views: the same trials as other classes show them, by the function that makes one.
    """

    revision: int | None
    trials: tuple[Trial, ...]
    views: dict[Callable[[Trial], Trial], tuple[Any, ...]] = field(default_factory=dict)


_kept: dict[tuple[str, str, str], _Kept] = {}
_keeping = threading.Lock()


def trials(study_id: str) -> list[Trial]:
    """The trials of a study in the order of its plan.

    Every change of a trial raises its study's revision, so trials are read once for each revision:
    a page asks a dozen times for the same ones, and 5,000 of them take most of a second to read.
    """
    return list(_at_revision(study_id).trials)


def trials_as(study_id: str, view: Callable[[Trial], View]) -> list[View]:
    """The trials of a study, each as `view` shows it; kept as long as the trials are."""
    with _no_garbage_collection():  # once for reading and for the views
        kept = _at_revision(study_id)
        if view not in kept.views:
            kept.views[view] = tuple(view(trial) for trial in kept.trials)
    return list(kept.views[view])


def _at_revision(study_id: str) -> _Kept:
    """The trials at the study's present revision."""
    revision_of = select(schema.studies.c.revision).where(schema.studies.c.id == study_id)
    rows = select(schema.trials).where(schema.trials.c.study == study_id)
    place = (database_url(), str(home()), study_id)
    with read() as connection:
        revision = connection.execute(revision_of).scalar()
        if (kept := _kept.get(place)) and kept.revision == revision:
            return kept
        with _no_garbage_collection():
            in_order = connection.execute(rows.order_by(schema.trials.c.position)).all()
            made = _Kept(revision, tuple(_trials(in_order)))
    with _keeping:
        _kept.pop(place, None)
        _kept[place] = made
        while len(_kept) > KEPT_STUDIES:
            del _kept[next(iter(_kept))]
    return made


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """No garbage collection while hundreds of thousands of small objects are made to stay: it would
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
        trial_of(r, Artifact(**f["artifact"]) if r.artifact else None, d)
        for r, f, d in zip(rows, files, details, strict=True)
    ]


def trial(id_: str) -> Trial:
    """One trial; its id begins with its study's.

    Raises:
        UnknownId: there is none with that id.
    """
    found = next((t for t in trials(id_.rpartition("-")[0]) if t.id == id_), None)
    if found is None:
        raise UnknownId(
            "There is no trial with that id",
            given=id_,
            remedy="Look it up with: python -m lab show STUDY",
        )
    return found


def update_trials(study_id: str, changed: Sequence[Trial]) -> None:
    """Write trials back and raise the study's revision, in one transaction."""
    rows = [
        {f"new_{k}": v for k, v in trial_row(t).items() if k in _CHANGING} | {"this": t.id}
        for t in changed
    ]
    with write() as connection:
        connection.execute(_UPDATE_TRIAL, rows)
        touch(connection, study_id, {})


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
        touch(
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
            touch(connection, id_, {"state": "cancelled", "stage": "", "finished_at": now()})


def counts(study_id: str) -> dict[str, int]:
    """State -> number of trials in it."""
    query = select(schema.trials.c.state, func.count()).where(schema.trials.c.study == study_id)
    with read() as connection:
        return {
            row.state: row[1] for row in connection.execute(query.group_by(schema.trials.c.state))
        }
