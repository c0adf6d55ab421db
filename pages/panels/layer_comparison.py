"""Comparison of several trials by layer and by part of the file."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

import lab
from lab.plots import formatting
from lab.plots.deltas import column
from lab.plots.layer_comparison import (
    bars_spec,
    height_of,
    layer_rows,
    parts_info,
    parts_rows,
    time_info,
    unmatched_text,
    weight_rows,
    weights_info,
)
from lab.types import Trial
from pages.widgets.chart import chart


def columns_of(trials: Sequence[Trial]) -> list[str]:
    return [column(n, t) for n, t in enumerate(trials)]


def layers(trials: Sequence[Trial], alike: bool) -> None:
    names, comparison = columns_of(trials), lab.layers_beside(trials)
    info = time_info(comparison, names)
    if info.rows:
        chart(
            json.dumps(bars_spec(info)),
            key=f"time_{'_'.join(t.id for t in trials)}",
            height=height_of(info),
            alt="Time of each layer in each trial; the table below has the same numbers.",
        )
    st.dataframe(
        layer_rows(comparison, names), hide_index=True, alt="Precision and time of each layer"
    )
    notes = [
        unmatched_text(comparison, names),
        *(f"{n} has no profile." for n, p in zip(names, comparison.profiled, strict=True) if not p),
        (
            f"{formatting.plural(info.left_out, 'short row')} left out of the plot."
            if info.left_out
            else ""
        ),
    ]
    st.caption(
        "Layers of the source model, matched in each file by their order and number of"
        " multiplications. Elsewhere: operators outside these layers. "
        + formatting.markdown(" ".join(filter(None, notes)))
    )


def size(trials: Sequence[Trial], alike: bool) -> None:
    names, anatomies = columns_of(trials), [lab.anatomy(t) for t in trials]
    comparison = lab.layers_beside(trials)
    left, right = st.columns(2, gap="medium")
    for place, name, info in (
        (left, "parts", parts_info(anatomies, names)),
        (right, "weights", weights_info(comparison, names)),
    ):
        if info.rows:
            with place:
                chart(
                    json.dumps(bars_spec(info)),
                    key=f"{name}_{'_'.join(t.id for t in trials)}",
                    height=height_of(info),
                    alt=f"{formatting.capital(info.title)}; the table below has the same numbers.",
                )
    with left:
        st.dataframe(
            parts_rows(anatomies, names),
            hide_index=True,
            height="content",
            alt="Bytes of each part of the files",
        )
    with right:
        if rows := weight_rows(comparison, names):
            st.dataframe(
                rows,
                hide_index=True,
                alt="Data type and bytes of each layer's weights",
            )
    if text := unmatched_text(comparison, names):
        st.caption(formatting.markdown(text))
