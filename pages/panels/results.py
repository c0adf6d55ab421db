"""Trade-off of a study: goal and limits, the pick, the plot, one trial, and the table of the same
trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

import lab
from lab.analysis.pick import Limit, Pick
from lab.plots import formatting, words
from lab.plots.table import ordered_metrics
from lab.types import FINISHED, Study, Trial
from pages.panels.insights import insights
from pages.panels.limits import goal_and_limits
from pages.panels.trial import detail
from pages.widgets import address
from pages.widgets.chart import chart
from pages.widgets.reader import only_reading
from pages.widgets.study_query import (
    VIEWS,
    Look,
    StudyQuery,
    TrialFilter,
    figure_of,
    has_results,
    methods_of,
    options_shown,
    pick_of,
    seen,
    table_of,
    trials_of,
)

MOST_COMPARED = 4
HOW_TO = {
    "plot": (
        "Click a point for its details; Shift-click selects it as well. {third} Bars and band: 95"
        " % intervals. Faded: another variant is better in every respect."
    ),
    "solid": (
        "Drag to rotate; click a point for its details. Faded: another variant is better in every"
        " respect."
    ),
    "parallel": (
        "Each line is a trial; up is better on every axis. Blue: on the front. Amber: tied with"
        " the front. Orange: selected. Pale: another variant is better in every respect, or the"
        " trial is outside the limits."
    ),
    "multiples": (
        "Each plot shows one group in colour, all others in grey, and the front of all trials."
        " {tint}Click a point for its details."
    ),
}


def results(study: Study) -> None:
    """Draw all results below the header of the page."""
    trials = trials_of(study.id, study.revision)
    if not has_results(study.id, study.revision):
        without_results(study, trials)
        return
    goal, weights, limits = goal_and_limits(
        trials, study.spec.objectives, f"{study.id} {study.revision}"
    )
    query = StudyQuery(
        study.id, study.revision, filter_in_address(study, trials), limits, goal, weights
    )
    best, by_id = pick_of(query), {t.id: t for t in trials}
    trial = by_id.get(st.query_params.get("trial") or best.trial or "")
    left, right = st.columns([11, 9], gap="medium")
    with left:
        banner(study, best, by_id, limits)
        plot(query, trials, trial)
    with right, st.container(border=True):
        detail(trial, trials, best.trial)
    table(query, trial)
    insights(study, trials, choose)


def without_results(study: Study, trials: Sequence[Trial]) -> None:
    if study.state not in FINISHED:
        st.info(
            "The first results appear here automatically. You can close this page: the study"
            " continues, and this address shows it again.",
            icon=":material/hourglass_empty:",
        )
    elif trials:
        st.warning(
            "No trial finished with all its metrics. The table shows the errors; fix their cause,"
            " then press **Run again**."
        )
    chosen = next((t for t in trials if t.id == st.query_params.get("trial")), None)
    table(StudyQuery(study.id, study.revision), chosen)
    if chosen:
        with st.container(border=True):
            detail(chosen, trials)


def banner(study: Study, best: Pick, by_id: Mapping[str, Trial], limits: Sequence[Limit]) -> None:
    reason = words.pick_reason(best, by_id, study.spec.objectives, limits)
    if best.trial is None:
        st.warning(formatting.markdown(reason), icon=":material/filter_alt_off:")
        return
    shown = options_shown(study.id, study.revision)
    name = words.trial_text(by_id[best.trial], shown)
    st.success(
        f"**Best pick: {formatting.markdown(name)}.** {formatting.markdown(reason)}",
        icon=":material/star:",
    )


# --- the plot -------------------------------------------------------------------------------------


def plot(query: StudyQuery, trials: Sequence[Trial], trial: Trial | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = address.segments("view", "View", list(VIEWS), VIEWS, label_visibility="collapsed")
        titles, look = look_control(trials, view)
        filter_control(query, trials)
    marked = frozenset(marked_now(trials))
    figure, height, shown, left_out = figure_of(
        query, look, marked if view == "parallel" else frozenset()
    )
    x, y, size = (titles[id_] for id_ in (look.x, look.y, look.size))
    ringed = sorted({*marked, *([trial.id] if trial else [])})
    chart(
        figure,
        key=f"plot_{query.study}_{view}",
        height=height,
        chosen=ringed,
        on_choose=choose,
        on_mark=tick,
        zoom=zoom_now(look),
        on_zoom=remember_zoom,
        alt=f"{y} against {x} of {shown} trials; the table below has the same numbers.",
    )
    third = f"{'Colour' if look.third == 'color' else 'Marker area'}: {size.lower()}."
    text = HOW_TO[view].format(third=third, tint=f"{third} " if look.third == "color" else "")
    st.caption(
        text + (f" {left_out} trials from other machines are not shown." if left_out else "")
    )


def look_control(trials: Sequence[Trial], view: str) -> tuple[dict[str, str], Look]:
    metrics = lab.available_metrics()
    ids = [id_ for id_ in ordered_metrics(trials, metrics) if id_ in metrics]
    titles = {id_: metrics[id_].title for id_ in ids}
    with st.popover("Axes", icon=":material/straighten:"):
        x = address.dropdown("x", "X axis", first("latency_s", ids), titles)
        y = address.dropdown("y", "Y axis", ids, titles)
        size = address.dropdown("size", "Third metric", first("size_bytes", ids), titles)
        third = address.segments(
            "third",
            "Show third metric as",
            ["area", "color"],
            {"area": "marker area", "color": "colour"},
        )
        texts = {"runtime": "runtime", "method": "technique"}
        color = address.segments("color", "Group by", list(texts), texts)
    return titles, Look(x, y, size, view, color, third)


def first(preferred: str, ids: Sequence[str]) -> list[str]:
    return sorted(ids, key=lambda id_: id_ != preferred)


def filter_in_address(study: Study, trials: Sequence[Trial]) -> TrialFilter:
    """Return the filter in the address without unknown values; its popover is drawn later, beside
    the plot.
    """
    runtimes = {t.target.runtime for t in trials}
    methods = set(methods_of(study.id, study.revision).values())
    on, how = (
        [v for v in st.query_params.get_all(name) if v in possible]
        for name, possible in (("on", runtimes), ("how", methods))
    )
    return TrialFilter(tuple(on), tuple(how), st.query_params.get("find", ""))


def filter_control(query: StudyQuery, trials: Sequence[Trial]) -> None:
    runtimes = {t.target.runtime: formatting.runtime_title(t.target.runtime) for t in trials}
    methods = list(dict.fromkeys(methods_of(query.study, query.revision).values()))
    hidden = len(trials) - len(seen(query))
    label = f"Filter ({hidden} hidden)" if hidden else "Filter"
    with st.popover(label, icon=":material/filter_list:", help="Float baselines are always shown."):
        address.several("on", "Runs on", list(runtimes), runtimes)
        address.several("how", "Technique", methods)
        address.words("find", "Name contains", placeholder="for example wi4")


def zoom_now(look: Look) -> list[float] | None:
    """Return the zoom in the address; other axes or another view reset it."""
    last, st.session_state.zoom_of = st.session_state.get("zoom_of"), look
    if last not in (None, look):
        st.query_params.pop("zoom", None)
    try:
        ranges = [float(v) for v in st.query_params.get("zoom", "").split(",")]
    except ValueError:
        return None
    return ranges if len(ranges) == 4 else None


def remember_zoom(ranges: Sequence[float] | None) -> None:
    if ranges:
        st.query_params["zoom"] = ",".join(f"{v:.12g}" for v in ranges)
    else:
        st.query_params.pop("zoom", None)


# --- which trials are meant -----------------------------------------------------------------------


def choose(trial_id: str) -> None:
    """Select only this trial."""
    st.query_params["trial"] = trial_id
    st.query_params.pop("ticked", None)


def tick(trial_id: str) -> None:
    """Add this trial to the selection, or remove it."""
    study = lab.study(st.session_state.shown_study)
    trials = trials_of(study.id, study.revision)
    ticked = marked_now(trials)
    set_ticked(
        [id_ for id_ in ticked if id_ != trial_id] if trial_id in ticked else [*ticked, trial_id],
        trials,
    )


def marked_now(trials: Sequence[Trial]) -> list[str]:
    """Return the ids of the selected trials: those in the address, or the chosen one."""
    by_number = {str(t.position): t.id for t in trials}
    selected = [
        by_number[n] for n in st.query_params.get("ticked", "").split(",") if n in by_number
    ]
    chosen = st.query_params.get("trial")
    return selected or [id_ for id_ in by_number.values() if id_ == chosen]


def set_ticked(ids: Sequence[str], trials: Sequence[Trial]) -> None:
    """Set the selection; the last added trial is shown in detail."""
    before = marked_now(trials)
    fresh = [id_ for id_ in ids if id_ not in before]
    chosen = st.query_params.get("trial")
    leading = fresh[-1] if fresh else chosen if chosen in ids else next(iter(ids), None)
    for name, value in (
        ("trial", leading),
        ("ticked", _numbers(ids, trials) if len(ids) > 1 else None),
    ):
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def _numbers(ids: Sequence[str], trials: Sequence[Trial]) -> str:
    return ",".join(str(t.position) for t in trials if t.id in ids)


# --- the table ------------------------------------------------------------------------------------


def table(query: StudyQuery, trial: Trial | None) -> None:
    trials = trials_of(query.study, query.revision)
    failed, ticked = sum(t.state == "failed" for t in seen(query)), marked_now(trials)
    many = len(ticked) > 1
    views = [
        "All",
        *(["On the front", "Within the limits"] if query.goal else []),
        *(["Failed"] if failed else []),
        *(["Ticked"] if many else []),
    ]
    texts = {"Failed": f"Failed ({failed})", "Ticked": f"Selected ({len(ticked)})"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rows = address.segments("rows", "Trials", views, texts) if views[1:] else views[0]
        st.caption(
            "Select rows to highlight them; details of the last one are shown above. Click a"
            " column's name to sort.",
            width="content",
        )
        if many and not only_reading():
            side_by_side(query.study, ticked)
    info = table_of(query, rows, frozenset(ticked) if rows == "Ticked" else frozenset())
    if not info.ids:
        st.info("No trial matches this view. Loosen a limit or the filter, or show all trials.")
        return
    key = f"table_{query.study}_{rows}"
    shown = {*ticked, *([trial.id] if trial and st.query_params.get("trial") == trial.id else [])}
    at = [i for i, id_ in enumerate(info.ids) if id_ in shown]
    st.session_state[key] = {"selection": {"rows": at, "columns": [], "cells": []}}
    columns = {
        name: st.column_config.NumberColumn(format=f, help=info.helps[name])
        for name, f in info.formats.items()
    }
    columns |= {
        name: st.column_config.TextColumn(help=info.helps[name]) for name in ("Trial", "Front")
    }
    st.dataframe(
        info.frame,
        key=key,
        hide_index=True,
        column_config=columns,
        selection_mode="multi-row",
        placeholder="–",
        on_select=tick_rows_of(key, info.ids, trials),
        alt="Trials and their numbers",
    )


def tick_rows_of(key: str, ids: Sequence[str], trials: Sequence[Trial]) -> Callable[[], None]:
    def tell() -> None:
        elsewhere = [
            id_ for id_ in marked_now(trials) if id_ not in ids
        ]  # ticked, but not among these rows
        set_ticked(
            [*elsewhere, *(ids[row] for row in st.session_state[key]["selection"]["rows"])], trials
        )

    return tell


def side_by_side(study: str, ticked: Sequence[str]) -> None:
    """Draw the button that compares the selected trials on their page."""
    st.button(
        f"Compare {len(ticked[:MOST_COMPARED])} side by side",
        icon=":material/compare:",
        key="side_by_side",
        on_click=_ask_to_compare,
        args=(study, ticked),
        help=f"At most {MOST_COMPARED} are compared." if len(ticked) > MOST_COMPARED else None,
    )
    if wanted := st.session_state.pop("compare_these", None):
        st.switch_page("pages/compare.py", query_params=wanted)


def _ask_to_compare(study: str, ticked: Sequence[str]) -> None:
    st.session_state.compare_these = {"study": study, "trials": ",".join(ticked[:MOST_COMPARED])}
