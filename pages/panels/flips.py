"""Changes between the predictions of two trials: class by class, and the flipped test items as
pictures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

import lab
from lab.analysis.flips import Flip, Kind, class_changes, confusion_change
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.examples import ExamplesInfo, examples_info
from lab.plots.flips import (
    Naming,
    class_rows,
    confusion_height,
    confusion_info,
    confusion_spec,
    flip_rows,
    flips_html,
    flips_text,
    kind_texts,
    value_text,
)
from lab.types import ModelCard, Trial
from pages.widgets import address
from pages.widgets.chart import chart

A_PAGE = 24
NO_TRUTH = "The test data are not in this lab, so the true classes are unknown."
DOWNLOAD = " Download them with `python -m lab datasets --fetch {}`."


@dataclass(frozen=True)
class Pair:
    """Two trials, the reference first, with their names."""

    reference: Trial
    trial: Trial
    card: ModelCard
    names: Naming


@st.cache_resource(
    max_entries=32,
    show_spinner="Reading the predictions of both trials. Test data are prepared on first use …",
)
def _answered(
    ids: tuple[str, str], revisions: tuple[int, ...], _trials: tuple[Trial, Trial]
) -> Any:
    """Return the predictions of both trials, or the reason why they are unknown."""
    try:
        return lab.answered(*_trials)
    except LabError as error:
        return str(error)


def answered(pair: Pair) -> Any:
    """Return the result of `lab.answered`, or None after a message."""
    revisions = tuple(lab.study(t.study).revision for t in (pair.reference, pair.trial))
    asked = (pair.trial.id, pair.reference.id), revisions, (pair.trial, pair.reference)
    comparison = _answered(*asked)
    if isinstance(comparison, str) or comparison.labels is None:
        _answered.clear(*asked)  # the data may be brought at any time
    if isinstance(comparison, str):
        st.info(formatting.markdown(comparison), icon=":material/visibility_off:")
        return None
    return comparison


# --- class by class -------------------------------------------------------------------------------


def classes(pair: Pair) -> None:
    """Show the items won and lost in each class, and the changes of their predicted classes."""
    if (comparison := answered(pair)) is None:
        return
    if comparison.labels is None:
        st.info(NO_TRUTH + _how_to_get(pair.card), icon=":material/visibility_off:")
        return
    rows = class_rows(
        class_changes(comparison.labels, comparison.correct_before, comparison.correct_after),
        pair.names,
    )
    left, right = st.columns([12, 9], gap="medium")
    with left:
        st.dataframe(
            rows,
            hide_index=True,
            height=min(38 + 35 * len(rows), 560),
            alt="Gains and losses of each class",
        )
        st.caption(
            "Won: only the second trial is right. Lost: only the first is right. p: exact McNemar"
            " test, corrected for the number of classes."
        )
    with right:
        matrix(pair, comparison)


def matrix(pair: Pair, comparison: Any) -> None:
    before, after = comparison.predictions_before, comparison.predictions_after
    if before is None or after is None:
        st.caption(f"The predicted classes are not known here. {value_text(comparison.flips)}")
        return
    count = 1 + int(max(comparison.labels.max(), before.max(), after.max()))
    count = max(count, len(pair.names.classes))
    info = confusion_info(confusion_change(comparison.labels, before, after, count), pair.names)
    if not info.change.any():
        st.caption("No item changes its predicted class.")
        return
    chart(
        json.dumps(confusion_spec(info)),
        key=f"confusion_{pair.trial.id}_{pair.reference.id}",
        height=confusion_height(info),
        alt=(
            "Change of the number of items of each true class for each predicted class; the table"
            " has the gains and losses of each class."
        ),
    )
    left_out = f" {info.left_out} other classes are not shown." if info.left_out else ""
    st.caption(
        "Rows: true class. Columns: predicted class. Numbers: items gained or lost,"
        f" {pair.names.after} against {pair.names.before}. Blue: better. Orange: worse.{left_out}"
    )


def _how_to_get(card: ModelCard) -> str:
    dataset = lab.available_datasets().get(card.dataset)
    return DOWNLOAD.format(dataset.id) if dataset and dataset.sources else ""


# --- the items ------------------------------------------------------------------------------------


def flipped(pair: Pair) -> None:
    """Show the flipped items, 24 per page, the widest gap first."""
    if (comparison := answered(pair)) is None:
        return
    st.markdown(formatting.markdown(flips_text(comparison.flips, pair.names)))
    if not comparison.flips.flips:
        st.success(
            ("Both trials give the same prediction for every test item."),
            icon=":material/done_all:",
        )
        return
    kind, page = chosen_part(pair, comparison)
    flips = comparison.flips.of(kind)
    if not flips:
        st.write("There are no items of this kind.")
        return
    shown = flips[(page - 1) * A_PAGE : page * A_PAGE]
    pictures = drawn(pair, shown)
    st.html(flips_html(shown, comparison.flips.value, pair.names, pictures))
    if pictures is None:
        st.caption(_not_drawn(pair, comparison.labels is not None))
    with st.expander(f"As a table ({len(flips)})"):
        st.dataframe(
            flip_rows(flips, comparison.flips.value, pair.names),
            hide_index=True,
            alt="Test items that flipped",
        )
    st.caption(_gap_text(comparison.flips.value))


def chosen_part(pair: Pair, comparison: Any) -> tuple[Kind, int]:
    """Draw the choice of a kind and of a page; another kind begins at its first page."""
    texts = kind_texts(comparison.flips, pair.names)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds: Any = sorted(
            texts, key=lambda k: not comparison.flips.of(k)
        )  # what is empty comes last
        kind: Any = address.segments("flip", "Items", kinds, texts)
        part = f"{pair.reference.id} {pair.trial.id} {kind}"
        if st.session_state.setdefault("flips_part", part) != part:
            st.session_state.flips_part = part
            st.query_params.pop("sheet", None)
        pages = max(1, -(-len(comparison.flips.of(kind)) // A_PAGE))
        if pages == 1:
            return kind, 1
        key = f"flips_page_{part}"
        start = min(pages, max(1, int(address.number("sheet", 1))))
        return kind, int(
            st.pagination(
                pages, default=start, key=key, on_change=address.remember, args=("sheet", key, 1)
            )
        )


def drawn(pair: Pair, flips: Sequence[Flip]) -> ExamplesInfo | None:
    """Return the items ready to draw; None if they are not here or have no picture."""
    dataset = lab.available_datasets().get(pair.card.dataset)
    show = dataset.show if dataset else "image"
    if (
        show == "none"
        or (test_items := lab.items(pair.trial.study, [f.item for f in flips])) is None
    ):
        return None
    items = dataset.picture(test_items.items) if dataset and dataset.picture else test_items.items
    try:
        return examples_info(
            items,
            test_items.labels,
            pair.names.classes,
            show=show,
            texts=test_items.texts,
            show_shape=dataset.show_shape if dataset else (),
        )
    except ValueError:
        return None  # numbers that are no picture


def _not_drawn(pair: Pair, here: bool) -> str:
    return (
        "These items are plain numbers and have no picture."
        if here
        else "The test data are not in this lab." + _how_to_get(pair.card)
    )


def _gap_text(value: str) -> str:
    if value == "none":
        return "In the order of the test set."
    if value == "anomaly":
        return "Sorted by the gap between both scores, the widest first."
    return (
        "Sorted by gap, the widest first: 1 if both trials are certain of different classes, 0 if"
        " both are undecided."
    )
