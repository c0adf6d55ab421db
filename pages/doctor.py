"""Self-test of this machine: reliability of its timings, its compute capabilities, missing
packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.doctor import HEIGHT, figures_table, grouped, scaling_figure, summary
from lab.plots.roofline import HEIGHT as ROOF_HEIGHT
from lab.plots.roofline import roofline_figure
from pages.widgets import entry
from pages.widgets.chart import chart

TITLE, ICON, ORDER = "This machine", ":material/stethoscope:", 8
POLL_S = 1.0
SIGNS = {
    "ok": ":green[:material/check_circle:]",
    "warning": ":orange[:material/warning:]",
    "unavailable": ":gray[:material/help:]",
}


def main() -> None:
    st.title("This machine", anchor=False)
    last = lab.last_self_test()
    header(last)
    if last is None:
        never_tested()
        return
    st.markdown(summary(last.checks))
    left, right = st.columns([3, 2], gap="large")
    parts = grouped(last.checks)
    with left:
        for title, checks in parts.items():
            group(title, checks)
    with right:
        plots(last)
    every_figure(last.checks)


# --- testing it -----------------------------------------------------------------------------------


def header(last: Any) -> None:
    running = lab.self_test_progress() is not None
    left, right = st.columns([5, 2], vertical_alignment="center")
    when = (
        f"Tested {formatting.moment(last.at)}, in {last.seconds:.0f} s, on"
        f" {formatting.markdown(last.machine)}."
        if last
        else "Not tested yet."
    )
    left.markdown(when)
    with right:
        st.button(
            "Test this machine",
            type="primary" if last is None else "secondary",
            icon=":material/play_arrow:",
            disabled=running,
            on_click=begin,
            help=(
                "The test takes half a minute or more in the background. It cannot run during a"
                " study because both would disturb each other."
            ),
            width="stretch",
        )
    if running:
        st.fragment(live, run_every=POLL_S)()
    elif (
        error := st.session_state.pop("self_test_refused", None) or lab.self_test_failure()
    ) is not None:
        st.warning(formatting.markdown(str(error)), icon=":material/block:")


def begin() -> None:
    try:
        lab.start_self_test()
    except LabError as error:
        st.session_state.self_test_refused = error


def live() -> None:
    done = lab.self_test_progress()
    if done is None:
        st.rerun()
    st.progress(
        done or 0.0,
        text=("Testing. Leave the machine idle for half a minute."),
    )


def never_tested() -> None:
    st.write(
        "The self-test measures the same model twice to check that the lab finds no difference. It"
        " reports the smallest detectable difference, the stability of the processor, the gain"
        " from more threads, and the peak rates of computing and of moving data. Known without a"
        " test:"
    )
    for title, checks in grouped(lab.known_checks()).items():
        group(title, checks)


# --- what was found -------------------------------------------------------------------------------


def group(title: str, checks: Sequence[Any]) -> None:
    st.subheader(title, anchor=False)
    for check in checks:
        remedy = (
            f"  \n:material/build: *{formatting.markdown(check.remedy)}*" if check.remedy else ""
        )
        st.markdown(
            f"{SIGNS[check.state]} **{formatting.markdown(check.title)}** ·"
            f" {formatting.markdown(check.text)}{remedy}"
        )


def plots(last: Any) -> None:
    if last.rooflines:
        roof = last.rooflines[-1]
        threads = formatting.plural(roof.threads, "thread")
        st.subheader("Roofline", anchor=False)
        chart(
            roofline_figure(roof).to_json(),
            key="roofline",
            height=ROOF_HEIGHT,
            alt=(
                "Peak operations per second over operations per byte moved; the checks have the"
                " same numbers."
            ),
        )
        st.caption(
            f"With {threads}. Memory bandwidth limits operators under a slope, where smaller"
            " numbers help; arithmetic limits operators under a flat line, where faster arithmetic"
            " helps."
        )
    threads_check = next(
        (c for c in last.checks if c.id == "threads" and "speedup" in c.figures), None
    )
    if threads_check:
        st.subheader("More threads", anchor=False)
        speedup = {int(n): x for n, x in threads_check.figures["speedup"].items()}
        chart(
            scaling_figure(speedup).to_json(), key="scaling", height=HEIGHT, alt=threads_check.text
        )


def every_figure(checks: Sequence[Any]) -> None:
    with st.expander("All values"):
        st.dataframe(
            pd.DataFrame(figures_table(checks)), hide_index=True, alt="Values of all checks"
        )


entry.require()
main()
