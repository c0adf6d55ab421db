"""Test items of many models without waiting: missing ones are fetched in the background and then
appear.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from html import escape

import streamlit as st

import lab
from lab.plots.examples import ExamplesInfo, examples_info
from lab.types import ModelCard

ITEMS = 8
PATIENCE_S = 0.2
"""Longest wait of a page for the items of all models: those that are cached or generated without a
data library.
"""

POLL_S = 0.7
RETRY_S = 60.0
"""Time after which a failed read is repeated: a missing package may have been installed."""


@dataclass(frozen=True)
class Shown:
    """A model's items ready to draw, or the reason why there are none."""

    info: ExamplesInfo | None = None
    problem: str = ""


@dataclass(frozen=True)
class _Fetch:
    """The items of one data set, loading or loaded."""

    shown: Future[Shown]
    started: float

    @property
    def done(self) -> bool:
        return self.shown.done()

    @property
    def stale(self) -> bool:
        return (
            self.done
            and bool(self.shown.result().problem)
            and time.monotonic() - self.started > RETRY_S
        )


@st.cache_resource(show_spinner=False)
def _fetching() -> tuple[ThreadPoolExecutor, dict[str, _Fetch]]:
    return ThreadPoolExecutor(1, "examples"), {}


def of(cards: Sequence[ModelCard], patience_s: float = PATIENCE_S) -> dict[str, Shown]:
    """Return model id -> its items, if loaded; the others are fetched."""
    pool, fetched = _fetching()
    slow = {card.dataset for card in cards if patience_s == PATIENCE_S and _takes_long(card)}
    for card in sorted(cards, key=lambda card: card.dataset in slow):
        if card.dataset not in fetched or fetched[card.dataset].stale:
            fetched[card.dataset] = _Fetch(pool.submit(_items, card.id), time.monotonic())
    wait([fetched[card.dataset].shown for card in cards if card.dataset not in slow], patience_s)
    return {card.id: here.shown.result() for card in cards if (here := fetched[card.dataset]).done}


def _takes_long(card: ModelCard) -> bool:
    """Return True for items that need a library: they come last and must not delay items that are
    drawn in milliseconds.
    """
    dataset = lab.dataset_of(card)
    return bool(dataset and (dataset.requires or not dataset.preview))


def _items(model_id: str) -> Shown:
    card = lab.model(model_id)
    dataset = lab.dataset_of(card)
    names = card.class_names or (dataset.class_names if dataset else ())
    try:
        items = lab.examples(model_id, ITEMS)
        show = dataset.show if dataset else "image"
        if show == "none":
            return Shown()
        drawn = dataset.picture(items.items) if dataset and dataset.picture else items.items
        return Shown(
            examples_info(
                drawn,
                items.labels,
                names,
                show=show,
                texts=items.texts,
                show_shape=dataset.show_shape if dataset else (),
            )
        )
    except ValueError:
        return Shown()  # numbers that are no picture
    except Exception as error:
        return Shown(problem=f"The data cannot be shown: {escape(str(error))}")


def await_rest(cards: Sequence[ModelCard]) -> None:
    """Redraw the page as soon as more items are loaded."""
    _, fetched = _fetching()
    missing = {card.dataset for card in cards if not fetched[card.dataset].done}
    if missing:
        st.fragment(_look, run_every=POLL_S)(len(missing), missing)


def _look(before: int, missing: set[str]) -> None:
    _, fetched = _fetching()
    if sum(not fetched[data].done for data in missing) < before:
        st.rerun()
