"""Contents of a trial's file, and its memory."""

from __future__ import annotations

import streamlit as st

import lab
from lab.plots import formatting
from lab.plots.anatomy import anatomy_figure, anatomy_info, height_of, layer_rows
from lab.types import Trial
from pages.widgets.chart import chart

SIZES = ("size_bytes", "download_bytes", "update_bytes")
MEMORY = ("peak_rss_bytes", "activation_peak_bytes", "arena_bytes")


def size(trial: Trial, base: Trial | None) -> None:
    """Show the three sizes, the file's parts and largest layers, and the memory."""
    numbers(trial, SIZES)
    anatomy = lab.anatomy(trial)
    if anatomy is None:
        st.write("The contents of this file were not analysed.")
    else:
        bars = anatomy_info(anatomy)
        chart(
            anatomy_figure(bars).to_json(),
            key="anatomy",
            height=height_of(bars),
            alt="Bytes of the file's parts and of its largest layers",
        )
        if rows := layer_rows(anatomy):
            with st.expander(f"All layers with weights ({len(rows)})"):
                st.dataframe(rows, hide_index=True, alt="All layers that store weights")
    st.markdown("**Memory**")
    numbers(trial, MEMORY)
    mapped = (trial.details.memory or {}).get("mapped_bytes")
    if mapped is not None:
        st.caption(
            f"The runtime memory-maps the file: {formatting.value(mapped, 'B')} are read in place"
            " and can be shared with other processes."
            if mapped
            else "The runtime copies the file into its own memory."
        )


def numbers(trial: Trial, ids: tuple[str, ...]) -> None:
    metrics = lab.available_metrics()
    measured = [id_ for id_ in ids if id_ in trial.measurements]
    for column, id_ in zip(st.columns(max(len(measured), 1)), measured, strict=False):
        m = trial.measurements[id_]
        source = "" if m.source == "measured" else f" ({m.source})"
        column.metric(
            metrics[id_].title + source, formatting.value(m.value, m.unit), help=metrics[id_].help
        )
