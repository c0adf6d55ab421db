"""Outcomes of steps, evaluations and measurements, kept for every later study.

Outcomes are JSON here; `lab.engine.messages` gives them types.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, insert, select, update

from lab.store import schema
from lab.store.blobs import is_whole, locate
from lab.store.db import read, write
from lab.store.rows import now


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
    outcomes: dict[str, dict[str, Any]] = {}
    with read() as connection:
        for start in range(0, len(wanted), 500):  # SQLite bounds the number of parameters
            part = table.c.key.in_(wanted[start : start + 500])
            rows = connection.execute(select(table.c.key, table.c.outcome).where(part)).all()
            outcomes |= zip(
                [row.key for row in rows], locate([row.outcome for row in rows]), strict=True
            )
    return {key: outcome for key, outcome in outcomes.items() if is_whole(outcome)}


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
    table, curves_ = schema.curves, dict[str, dict[str, Any]]()
    with read() as connection:
        for start in range(0, len(keys), 500):
            rows = connection.execute(
                select(table).where(table.c.key.in_(keys[start : start + 500]))
            )
            curves_ |= {
                row.key: {k: v for k, v in row._mapping.items() if k != "key"} for row in rows
            }
    return curves_


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
