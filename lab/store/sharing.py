"""Links to views of a study, and notes on studies and trials."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from lab.errors import LinkRevoked, UnknownId, UsageError
from lab.store import records, schema
from lab.store.db import read, write

TOKEN_BYTES = 20
"""160 bits that nobody guesses."""
LONGEST_NOTE = 20_000
LONGEST_VIEW = 100
View = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Link:
    """A way to one view of one study, for reading only.

    Attributes:
        token: whoever has it may look.
        view: what the address of the view says: name -> values.
        revoked_at: since when it leads nowhere; None while it does.
    """

    token: str
    study: str
    view: View
    created_at: str
    revoked_at: str | None = None


def create_link(study: str, view: View) -> Link:
    """A new link.

    Raises:
        UnknownId: there is no such study.
        UsageError: the view says more than a view can.
    """
    if len(view) > LONGEST_VIEW:
        raise UsageError(
            "A view has not so many settings", allowed=f"up to {LONGEST_VIEW}", given=len(view)
        )
    made = Link(
        secrets.token_urlsafe(TOKEN_BYTES),
        records.study(study).id,
        {k: list(v) for k, v in view.items()},
        records.now(),
    )
    row = {
        "token": made.token,
        "study": made.study,
        "view": made.view,
        "created_at": made.created_at,
    }
    with write() as connection:
        connection.execute(insert(schema.links).values(row))
    return made


def link(token: str) -> Link:
    """Study and view of a link.

    Raises:
        UnknownId: there is no such link.
        LinkRevoked: somebody took it back.
    """
    with read() as connection:
        row = connection.execute(
            select(schema.links).where(schema.links.c.token == token)
        ).one_or_none()
    if row is None:
        raise UnknownId(
            "There is no such link", remedy="It may be cut off, or of another lab: ask for it again"
        )
    if row.revoked_at:
        raise LinkRevoked("This link was revoked", remedy="Ask whoever sent it for a new one")
    return _link(row)


def links(study: str) -> list[Link]:
    """All links to a study that lead there, newest first."""
    table = schema.links
    query = (
        select(table)
        .where(table.c.study == study, table.c.revoked_at.is_(None))
        .order_by(table.c.created_at.desc(), table.c.token)
    )
    with read() as connection:
        return [_link(row) for row in connection.execute(query)]


def revoke_link(token: str) -> None:
    """Let a link lead nowhere from now on.

    Raises:
        UnknownId: there is no such link.
    """
    with write() as connection:
        done = connection.execute(
            update(schema.links)
            .where(schema.links.c.token == token)
            .values(revoked_at=records.now())
        )
    if not done.rowcount:
        raise UnknownId(
            "There is no such link", remedy="Look it up with: python -m lab links STUDY"
        )


def _link(row: Row[Any]) -> Link:
    return Link(row.token, row.study, row.view, row.created_at, row.revoked_at)


def notes(study: str) -> dict[str, str]:
    """Notes in Markdown: on the study under "", on its trials under their ids."""
    table = schema.notes
    with read() as connection:
        rows = connection.execute(
            select(table.c.trial, table.c.text)
            .where(table.c.study == study)
            .order_by(table.c.trial)
        )
        return {row.trial: row.text for row in rows}


def set_note(study: str, text: str, trial: str = "") -> None:
    """Write about a study or one of its trials; an empty text removes what was written.

    Raises:
        UnknownId: there is no such study or trial.
        UsageError: the text is too long.
    """
    if len(text) > LONGEST_NOTE:
        raise UsageError(
            "The note is too long", allowed=f"up to {LONGEST_NOTE:,} characters", given=len(text)
        )
    if trial and all(t.id != trial for t in records.trials(study)):
        raise UnknownId(
            "There is no such trial in this study",
            given=trial,
            remedy=f"Look it up with: python -m lab show {study}",
        )
    table, row = (
        schema.notes,
        {
            "study": records.study(study).id,
            "trial": trial,
            "text": text.strip(),
            "updated_at": records.now(),
        },
    )
    with write() as connection:
        connection.execute(delete(table).where(table.c.study == study, table.c.trial == trial))
        if row["text"]:
            connection.execute(insert(table).values(row))
