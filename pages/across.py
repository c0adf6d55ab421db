"""Comparison of several studies: models or data of one task, one study on two machines, two
versions of a study.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

import lab
from lab.analysis.across import Across, discrepancies
from lab.analysis.front import nearest_baseline
from lab.analysis.pick import Limit, meets
from lab.plots import formatting
from lab.plots.across import HEIGHT, across_info, across_spec, across_table
from lab.plots.across_words import COLORINGS, Named, distinct_names, front_text
from lab.plots.matched_trials import discrepancy_rows
from lab.plots.table import TableInfo, leading, ordered_metrics
from lab.types import Study, Trial
from pages.panels.limits import slider
from pages.panels.matched_trials import in_two
from pages.widgets import address, entry
from pages.widgets.chart import chart
from pages.widgets.title import model_title

TITLE, ICON, ORDER = "Across studies", ":material/stacked_line_chart:", 0.6
WHAT_FOR = (
    "Compare several studies: models of one task, to weigh architecture against compression; the"
    " same study on two machines; or two versions of a study."
)


def main() -> None:
    st.title("Across studies", anchor=False)
    studies = chosen()
    if not studies:
        st.write(WHAT_FOR)
        if not lab.studies():
            st.page_link(
                "pages/models.py",
                label="Pick a model to start with",
                icon=":material/arrow_forward:",
            )
        return
    key = tuple((s.id, s.revision) for s in studies)
    everything = across_of(key, ())
    if not everything.groups:
        st.info(front_text(everything), icon=":material/hourglass_empty:")
        return
    limits = limits_control(key, everything)
    together(key, across_of(key, limits), limits)
    if len(studies) > 1:
        in_two(studies, names_of(studies), everything)


# --- which studies --------------------------------------------------------------------------------


def chosen() -> list[Study]:
    """Return the studies in the address; by default the newest of each model on the newest study's
    data.
    """
    by_id = {s.id: s for s in lab.studies() if not s.spec.about}
    in_address = [id_ for id_ in st.query_params.get("studies", "").split(",") if id_]
    if missing := [id_ for id_ in in_address if id_ not in by_id]:
        st.warning(f"Not in this lab: {formatting.markdown(', '.join(missing))}.")
    asked = "studies" in st.query_params
    wanted = (
        [id_ for id_ in dict.fromkeys(in_address) if id_ in by_id]
        if asked
        else related(list(by_id.values()))
    )
    texts = names_of(list(by_id.values()))
    st.session_state.across_studies = wanted
    selected = st.multiselect(
        "Studies",
        list(by_id),
        format_func=lambda id_: texts[id_],
        key="across_studies",
        on_change=remember,
        placeholder="Choose two or more",
    )
    if selected:
        st.query_params["studies"] = ",".join(selected)
    return [by_id[id_] for id_ in selected]


def related(studies: Sequence[Study]) -> list[str]:
    """Return the newest study, and the newest of every other model on its data."""
    newest: dict[str, str] = {}
    data = {s.id: lab.card_of(s.id).dataset for s in studies}
    for study in studies:
        if study.state == "complete" and data[study.id] == data[studies[0].id]:
            newest.setdefault(study.model, study.id)
    return list(newest.values())


def names_of(studies: Sequence[Study]) -> dict[str, str]:
    """Return a distinct name for each study, because a list knows its entries by their text."""
    facts = {
        s.id: [model_title(s.model), s.title, formatting.moment(s.created_at)] for s in studies
    }
    return distinct_names({id_: " · ".join(filter(None, parts)) for id_, parts in facts.items()})


def remember() -> None:
    st.query_params["studies"] = ",".join(st.session_state.across_studies)


# --- all together ---------------------------------------------------------------------------------


@st.cache_resource(max_entries=32, show_spinner=False)
def across_of(key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...]) -> Across:
    ids = [id_ for id_, _ in key]
    if not limits:
        return lab.across(ids)
    allowed = feasible_of(key, limits)
    return lab.across(ids, lambda trial: trial.id in allowed)


@st.cache_resource(max_entries=32, show_spinner=False)
def feasible_of(key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...]) -> frozenset[str]:
    """Return the trials within the limits; a drop is counted from the float baseline of a trial's
    own study.
    """
    comparison = across_of(key, ())
    floats = {m.study.id: [t for t in m.trials if t.is_baseline] for m in comparison.members}
    return frozenset(
        t.id
        for t in comparison.trials
        if all(meets(limit, t, nearest_baseline(t, floats[t.study])) for limit in limits)
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def named_of(key: tuple[tuple[str, int], ...]) -> Named:
    return lab.names_across(across_of(key, ()))


@st.cache_resource(max_entries=64, show_spinner=False)
def figure_of(
    key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...], x: str, y: str, coloring: str
) -> tuple[str, int, int]:
    """Return the figure as JSON, the number of trials in it and of those without one of its
    metrics.
    """
    feasible = feasible_of(key, limits) if limits else None
    info = across_info(
        across_of(key, limits),
        lab.available_metrics(),
        named_of(key),
        x=x,
        y=y,
        coloring=coloring,
        feasible=feasible,
    )
    return json.dumps(across_spec(info, uirevision=f"{key}")), len(info.points), info.left_out


@st.cache_resource(max_entries=64, show_spinner=False)
def table_of(key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...]) -> TableInfo:
    return across_table(across_of(key, limits), lab.available_metrics(), named_of(key))


def limits_control(key: tuple[tuple[str, int], ...], comparison: Across) -> tuple[Limit, ...]:
    """Draw the limits of the Results page: the task's own metric, size and time."""
    quality = [
        id_ for id_ in leading()[:-2] if any(id_ in t.measurements for t in comparison.trials)
    ]
    wanted = [(id_, "at_least") for id_ in quality[:1]] + [
        ("size_bytes", "at_most"),
        ("latency_s", "at_most"),
    ]
    places = st.columns(len(wanted), gap="medium", vertical_alignment="bottom")
    limits = []
    for place, (metric, kind) in zip(places, wanted, strict=True):
        with place:
            limits.append(slider(comparison.trials, metric, kind, f"{key}"))
    return tuple(limit for limit in limits if limit)


def together(
    key: tuple[tuple[str, int], ...], comparison: Across, limits: tuple[Limit, ...]
) -> None:
    metrics = lab.available_metrics()
    follow()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        coloring = address.segments("color", "Colour", list(COLORINGS), dict(COLORINGS))
        x, y = axes(comparison.trials)
    st.markdown(
        f":material/{'join' if len(comparison.groups) == 1 else 'alt_route'}:"
        f" {formatting.markdown(front_text(comparison))}"
    )
    figure, shown, lacking = figure_of(key, limits, x, y, coloring)
    chart(
        figure,
        key="across",
        height=HEIGHT,
        on_choose=open_trial,
        alt=(
            f"{metrics[y].title} against {metrics[x].title} of {shown} trials of several studies;"
            " the table lists the trials on a front."
        ),
    )
    less = (
        f" Not shown: {formatting.plural(lacking, 'trial')} without one of these metrics."
        if lacking
        else ""
    )
    st.caption(
        "Shape: runtime. Large: on the front. Hollow: float. Faded: another variant is better in"
        f" every respect. Click a point to open its trial.{less}"
    )
    info = table_of(key, limits)
    columns = {
        name: st.column_config.NumberColumn(format=f, help=info.helps[name])
        for name, f in info.formats.items()
    }
    columns |= {name: st.column_config.TextColumn(width="medium") for name in ("Study", "Front of")}
    st.dataframe(
        info.frame,
        hide_index=True,
        column_config=columns,
        placeholder="–",
        alt="Trials on a front and their metrics",
    )
    machines(key, comparison)


def machines(key: tuple[tuple[str, int], ...], comparison: Across) -> None:
    """Show the differences between the machines, if they are a reason for several fronts."""
    if "environment" not in comparison.apart:
        return
    names = {id_: name for id_, name in named_of(key).machines.items() if id_}
    rows = discrepancy_rows(
        discrepancies(*(lab.environment(id_) for id_ in names)), list(names.values())
    )
    with st.expander(f"Differences between the machines ({len(rows)})", icon=":material/devices:"):
        st.dataframe(
            rows,
            hide_index=True,
            height="content",
            alt="Differences in machines and versions",
        )


def axes(trials: Sequence[Trial]) -> tuple[str, str]:
    metrics = lab.available_metrics()
    ids = [id_ for id_ in ordered_metrics(trials, metrics) if id_ in metrics]
    titles = {id_: metrics[id_].title for id_ in ids}
    with st.container(width=220):
        x = address.dropdown("x", "X axis", sorted(ids, key=lambda id_: id_ != "latency_s"), titles)
    with st.container(width=220):
        y = address.dropdown("y", "Y axis", ids, titles)
    return x, y


def open_trial(id_: str) -> None:
    st.session_state.across_clicked = id_


def follow() -> None:
    """Open the clicked trial; a callback may not leave the page."""
    if id_ := st.session_state.pop("across_clicked", None):
        st.switch_page(
            "pages/study.py", query_params={"study": id_.rpartition("-")[0], "trial": id_}
        )


entry.require()
main()
