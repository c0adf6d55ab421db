"""Models that were added from disk."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from lab.store import schema
from lab.store.blobs import locate_card
from lab.store.db import read, write
from lab.store.rows import now
from lab.types import ModelCard


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
