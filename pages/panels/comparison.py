"""Comparison of a trial with another one: differences, and whether they may be chance."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

import lab
from lab.plots import formatting, words
from lab.plots.differences import difference_rows, items_text
from lab.types import Trial
from pages.widgets.reader import only_reading


def compare(trial: Trial, base: Trial | None) -> None:
    """Show a table of differences from a chosen trial, at first the float baseline."""
    others = [t for t in lab.trials(trial.study) if t.state == "complete" and t.id != trial.id]
    if not trial.measurements or not others:
        st.write("There is no other trial to compare with yet.")
        return
    by_id = {t.id: t for t in sorted(others, key=lambda t: t.id != (base.id if base else ""))}
    shown = formatting.varying_options(t.target for t in [*others, trial])
    name: Callable[[str], str] = lambda id_: words.trial_text(by_id[id_], shown)  # noqa: E731
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Compare with", list(by_id), format_func=name, key=f"compare_{trial.id}"
        )
        if not only_reading() and st.button(
            "Open in Compare",
            icon=":material/compare:",
            key="open_compare",
            help="Compares recipes, classes, flipped test items, layers and sizes.",
        ):
            st.switch_page(
                "pages/compare.py",
                query_params={"study": trial.study, "trials": f"{chosen},{trial.id}"},
            )
    other = by_id[chosen]
    rows = difference_rows(trial, other, lab.available_metrics())
    st.dataframe(rows, hide_index=True, height="content", alt=f"Differences from {name(chosen)}")
    if text := items_text(trial, other):
        st.caption(formatting.markdown(text))
    st.caption(
        "Both trials are compared on the same test items and in alternating timing rounds, so"
        " disturbances that affect both cancel out."
    )
