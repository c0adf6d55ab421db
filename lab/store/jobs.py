"""Environments, and the list of jobs that ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from lab.errors import UnknownId
from lab.store import schema
from lab.store.db import read, write
from lab.types import digest_of


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
    """The environment with that id.

    Raises:
        UnknownId: there is none.
    """
    with read() as connection:
        payload = connection.execute(
            select(schema.environments.c.payload).where(schema.environments.c.id == id_)
        ).scalar()
    if payload is None:
        raise UnknownId("There is no environment with that id", given=id_)
    return dict(payload)


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
