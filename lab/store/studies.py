"""Studies in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from lab.errors import UnknownId
from lab.store import schema
from lab.store.db import read, write
from lab.store.rows import card_in, now, study_of, touch, trial_row
from lab.types import FINISHED, ModelCard, Study, StudySpec, Trial


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
            connection.execute(insert(schema.trials), [trial_row(trial) for trial in trials])


def extend_study(id_: str, spec: StudySpec, trials: Sequence[Trial]) -> None:
    """Add trials to a study, or give its search a larger budget, and queue it again, in one
    transaction; a running one takes them up when it is through.
    """
    table = schema.studies
    with write() as connection:
        if trials:
            connection.execute(insert(schema.trials), [trial_row(trial) for trial in trials])
        touch(connection, id_, {"spec": spec.to_json()})
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
        connection.execute(insert(schema.trials), [trial_row(trial) for trial in made])
        touch(connection, id_, {})


def finish_study(id_: str, state: str) -> None:
    """End a study; one that got further trials meanwhile is queued again instead."""
    waiting = (schema.trials.c.study == id_) & (schema.trials.c.state == "queued")
    with write() as connection:
        more = connection.execute(select(func.count()).where(waiting)).scalar()
        ended = {"state": state, "seconds_left": 0.0, "finished_at": now()}
        touch(
            connection,
            id_,
            {"stage": "", **({"state": "queued"} if more and state == "complete" else ended)},
        )


def study(id_: str) -> Study:
    """One study.

    Raises:
        UnknownId: there is none with that id.
    """
    return study_of(study_row(id_))


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


def card_of(study_id: str) -> ModelCard:
    """The card that a study was made with; the model itself may be gone from this lab.

    Raises:
        UnknownId: there is no study with that id.
    """
    return card_in(study_row(study_id))


def studies(states: Iterable[str] | None = None) -> list[Study]:
    """All studies, newest first."""
    query = select(schema.studies).order_by(schema.studies.c.created_at.desc(), schema.studies.c.id)
    if states is not None:
        query = query.where(schema.studies.c.state.in_(list(states)))
    with read() as connection:
        return [study_of(row) for row in connection.execute(query)]


def update_study(id_: str, **values: Any) -> None:
    """Change columns of a study and raise its revision."""
    with write() as connection:
        touch(connection, id_, values)
