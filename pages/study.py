"""A study: its progress, the trade-off, the best pick under limits, and everything about one trial."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

import lab
from lab.analysis.front import comparable
from lab.analysis.pick import Limit, Pick, pick
from lab.analysis.ties import ties
from lab.errors import UnknownId
from lab.plots import formats, words
from lab.plots.pareto import HEIGHT, pareto_info, pareto_spec
from lab.plots.table import TableInfo, ordered_metrics, trials_info
from lab.types import FINISHED, Study, Trial
from pages import _address, _entry
from pages._chart import chart
from pages._insights import insights
from pages._limits import goal_and_limits
from pages._progress import progress
from pages._training import live
from pages._trial import detail, runtime_titles

TITLE, ICON, ORDER = "Results", ":material/scatter_plot:", 0
LOOKS = {
    "complete": ("finished", "green", ":material/check_circle:"),
    "running": ("running", "blue", ":material/autorenew:"),
    "queued": ("waiting", "gray", ":material/hourglass_empty:"),
    "failed": ("failed", "red", ":material/error:"),
    "cancelled": ("cancelled", "orange", ":material/cancel:"),
}
EXPORTS = {"csv": "CSV table", "parquet": "Parquet table", "json": "JSON", "lab": "Whole study (.lab)"}


def main() -> None:
    study = chosen_study()
    if study is None:
        nothing_yet()
        return
    header(study)
    with st.container():  # stays when the bar goes: what moves in the page's tree would be drawn anew and lose its zoom
        progress(study, sum(t.state in FINISHED for t in trials_of(study.id, study.revision)))
        live(study)
    results(study)
    st.session_state.last_view = st.query_params.to_dict()


# --- which study -----------------------------------------------------------------------------------------------------


def chosen_study() -> Study | None:
    """The study in the address; else the one last looked at; else the newest; else the example."""
    if "study" not in st.query_params and (last := st.session_state.get("last_view")):
        st.query_params.from_dict(last)
    wanted = st.query_params.get("study")
    if wanted is None:
        example = lab.example_study()
        wanted = next((s.id for s in lab.studies() if s.id != example and not s.spec.about), example)
    return open_study(wanted) if wanted else None


def open_study(id_: str) -> Study:
    try:
        study = lab.study(id_)
    except UnknownId:
        not_here(id_)
        st.stop()
    st.query_params["study"] = id_
    return study


def not_here(id_: str) -> None:
    st.session_state.pop("last_view", None)
    st.title("Study not found", anchor=False)
    st.error(
        f"There is no study **{formats.markdown(id_)}** in this lab. The link may be cut off, or it comes from another "
        "lab: ask its owner to export the study as a .lab file.",
        icon=":material/link_off:",
    )
    if known := lab.studies():
        texts = {s.id: study_text(s) for s in known}
        st.selectbox("Open one of the studies that are here", list(texts), None, texts.get, key="instead",
                     on_change=go_to, args=("instead",))  # fmt: skip
    st.page_link("pages/models.py", label="Or pick a model and start a new study", icon=":material/arrow_forward:")


def go_to(key: str) -> None:
    st.query_params.from_dict({"study": st.session_state[key]})


def nothing_yet() -> None:
    st.title("No study yet", anchor=False)
    st.write("A study tries many ways to compress one model and measures each: accuracy, size, speed, memory.")
    st.page_link("pages/models.py", label="Pick a model to start with", icon=":material/arrow_forward:")


def study_text(study: Study) -> str:
    state = "" if study.state == "complete" else LOOKS[study.state][0]
    return " · ".join(filter(None, [model_title(study.model), study.title, formats.moment(study.created_at), state]))


def model_title(id_: str) -> str:
    card = lab.models().get(id_)
    return card.title if card else id_


# --- cached by revision: a rerun that changes nothing computes nothing -----------------------------------------------


@st.cache_resource(max_entries=32, show_spinner=False)
def trials_of(study_id: str, revision: int) -> tuple[Trial, ...]:
    return tuple(lab.trials(study_id))


@st.cache_resource(max_entries=64, show_spinner=False)
def pick_of(study_id: str, revision: int, limits: tuple[Limit, ...], goal: str) -> Pick:
    objectives = lab.study(study_id).spec.objectives
    wanted = next((o for o in objectives if o.metric == goal), None)
    return pick(trials_of(study_id, revision), objectives, limits, wanted)


@st.cache_resource(max_entries=64, show_spinner=False)
def ties_of(study_id: str, revision: int, limits: tuple[Limit, ...], goal: str) -> Mapping[str, tuple[str, ...]]:
    feasible = set(pick_of(study_id, revision, limits, goal).feasible)
    return ties([t for t in trials_of(study_id, revision) if t.id in feasible], lab.study(study_id).spec.objectives)


@st.cache_resource(max_entries=64, show_spinner=False)
def figure_of(
    study_id: str, revision: int, limits: tuple[Limit, ...], goal: str, axes: tuple[str, str, str]
) -> tuple[str, int, int]:
    """The figure as JSON, how many trials it shows and how many it leaves out."""
    found, trials = pick_of(study_id, revision, limits, goal), trials_of(study_id, revision)
    lines = [(limit.metric, limit.value) for limit in limits if limit.kind != "max_drop"]
    x, y, size = axes
    info = pareto_info(trials, lab.study(study_id).spec.objectives, lab.available_metrics(), x=x, y=y, size=size,
                       titles=runtime_titles(), feasible=found.feasible, pick=found.trial, limits=lines,
                       tied=ties_of(study_id, revision, limits, goal))  # fmt: skip
    return json.dumps(pareto_spec(info, uirevision=f"{study_id} {axes}")), len(info.points), info.left_out


@st.cache_resource(max_entries=64, show_spinner=False)
def table_of(study_id: str, revision: int, limits: tuple[Limit, ...], goal: str, view: str) -> TableInfo:
    everything, found = trials_of(study_id, revision), pick_of(study_id, revision, limits, goal)
    tied = ties_of(study_id, revision, limits, goal)
    keep: Mapping[str, Callable[[Trial], bool]] = {
        "On the front": lambda t: t.id in found.front or t.id in tied,
        "Within the limits": lambda t: t.id in found.feasible,
        "Failed": lambda t: t.state == "failed",
    }
    rows = [t for t in everything if keep.get(view, lambda _: True)(t)]
    shown = formats.varying_options(t.target for t in everything)
    return trials_info(rows, lab.available_metrics(), runtime_titles(), set(found.front), shown, tied)


# --- header and progress ---------------------------------------------------------------------------------------------


def header(study: Study) -> None:
    left, middle, right = st.columns([62, 36, 28], vertical_alignment="bottom")
    with left:
        title(study)
    with middle:
        other_studies(study)
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        actions(study)
    if study.id == lab.example_study():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                "This example ships with the lab. Click a point to read about it, or try your own:", width="content"
            )
            st.page_link("pages/models.py", label="pick a model", icon=":material/arrow_forward:")
    if study.error:
        st.error(formats.markdown(str(study.error.get("message", "The study failed."))), icon=":material/error:")


def title(study: Study) -> None:
    label, color, icon = LOOKS[study.state]
    preset = f"{study.spec.preset} sweep" if study.spec.preset else ""
    facts = [formats.markdown(study.title), preset, formats.moment(study.created_at)]
    st.title(formats.markdown(model_title(study.model)), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(label, color=color, icon=icon)
        st.caption(" · ".join(filter(None, facts)), width="content")


def other_studies(study: Study) -> None:
    texts = {s.id: study_text(s) for s in lab.studies()}
    st.session_state.open_study = study.id
    st.selectbox("Open another study", list(texts), format_func=texts.get, key="open_study",
                 label_visibility="collapsed", on_change=go_to, args=("open_study",))  # fmt: skip


def actions(study: Study) -> None:
    if study.state not in FINISHED:
        if st.button("Cancel", icon=":material/cancel:", help="Stops what is running. What is finished stays."):
            lab.cancel(study.id)
            st.toast("Stopping. What is finished stays.", icon=":material/cancel:")
    elif any(t.state in ("failed", "cancelled") for t in trials_of(study.id, study.revision)):
        st.button("Run again", icon=":material/replay:", on_click=lab.resume, args=(study.id,),
                  help="Runs only what failed or was cancelled. What is finished stays.")  # fmt: skip
    with st.popover("Export", icon=":material/download:"):
        st.caption("Everything that was measured, for other tools or another lab.")
        for ending, label in EXPORTS.items():
            st.download_button(label, exporter(study.id, ending), f"{study.model}-{study.id}.{ending}",
                               key=f"export_{ending}", on_click="ignore", width="stretch")  # fmt: skip


def exporter(study_id: str, ending: str) -> Callable[[], bytes]:
    """Writes the file only when somebody asks for it."""

    def write() -> bytes:
        with TemporaryDirectory() as folder:
            return Path(lab.export(study_id, to=Path(folder) / f"study.{ending}")).read_bytes()

    return write


# --- results ---------------------------------------------------------------------------------------------------------


def results(study: Study) -> None:
    trials = trials_of(study.id, study.revision)
    if not comparable(trials, study.spec.objectives):
        without_results(study, trials)
        return
    goal, limits = goal_and_limits(trials, study.spec.objectives)
    found = pick_of(study.id, study.revision, limits, goal)
    by_id = {t.id: t for t in trials}
    trial = by_id.get(st.query_params.get("trial") or found.trial or "")
    left, right = st.columns([11, 9], gap="medium")
    with left:
        banner(study, found, by_id, limits)
        plot(study, trials, limits, goal, trial)
    with right, st.container(border=True):
        detail(trial, trials, found.trial)
    table(study, limits, goal, trial)
    insights(study, trials, choose)


def without_results(study: Study, trials: Sequence[Trial]) -> None:
    if study.state not in FINISHED:
        st.info("The first results appear here by themselves. You may close this page: the study goes on, and this "
                "address shows it again.", icon=":material/hourglass_empty:")  # fmt: skip
    elif trials:
        st.warning("No trial finished with all its numbers. The table says what went wrong; mend it and **Run again**.")
    chosen = next((t for t in trials if t.id == st.query_params.get("trial")), None)
    table(study, (), "", chosen)
    if chosen:
        with st.container(border=True):
            detail(chosen, trials)


def banner(study: Study, found: Pick, by_id: Mapping[str, Trial], limits: Sequence[Limit]) -> None:
    reason = words.pick_reason(found, by_id, study.spec.objectives, limits, runtime_titles())
    if found.trial is None:
        st.warning(formats.markdown(reason), icon=":material/filter_alt_off:")
        return
    shown = formats.varying_options(t.target for t in by_id.values())
    name = words.trial_text(by_id[found.trial], runtime_titles(), shown)
    st.success(f"**Best pick: {formats.markdown(name)}.** {formats.markdown(reason)}", icon=":material/star:")


def plot(study: Study, trials: Sequence[Trial], limits: tuple[Limit, ...], goal: str, trial: Trial | None) -> None:
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        note = st.empty()
        titles, axes = axes_control(trials)
    figure, shown, left_out = figure_of(study.id, study.revision, limits, goal, axes)
    x, y, size = (titles[id_] for id_ in axes)
    with place:
        chart(figure, key=f"plot_{study.id}", height=HEIGHT, chosen=trial.id if trial else None, on_choose=choose,
              alt=f"{y} against {x} of {shown} trials; the table below has the same numbers.")  # fmt: skip
    text = f"Click a point to read about it. Marker area: {size.lower()}. Bars and band: 95 % intervals. Faint: beaten by another."
    note.caption(text + (f" {left_out} trials of another machine are not compared." if left_out else ""))


def axes_control(trials: Sequence[Trial]) -> tuple[dict[str, str], tuple[str, str, str]]:
    metrics = lab.available_metrics()
    ids = [id_ for id_ in ordered_metrics(trials, metrics) if id_ in metrics]
    titles = {id_: metrics[id_].title for id_ in ids}
    with st.popover("Axes", icon=":material/straighten:"):
        x = _address.dropdown("x", "Across", first("latency_s", ids), titles)
        y = _address.dropdown("y", "Up", ids, titles)
        size = _address.dropdown("size", "Marker area", first("size_bytes", ids), titles)
    return titles, (x, y, size)


def first(preferred: str, ids: Sequence[str]) -> list[str]:
    return sorted(ids, key=lambda id_: id_ != preferred)


def choose(trial_id: str) -> None:
    st.query_params["trial"] = trial_id


def table(study: Study, limits: tuple[Limit, ...], goal: str, trial: Trial | None) -> None:
    failed = sum(t.state == "failed" for t in trials_of(study.id, study.revision))
    views = ["All", *(["On the front", "Within the limits"] if goal else []), *(["Failed"] if failed else [])]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = _address.segments("rows", "Trials", views, {"Failed": f"Failed ({failed})"}) if views[1:] else views[0]
        st.caption("Tick a row to read about its trial. Click a column's name to sort.", width="content")
    info = table_of(study.id, study.revision, limits, goal, view)
    if not info.ids:
        st.info("No trial is in this view. Loosen a limit, or show all trials.")
        return
    key = f"table_{study.id}_{view}"
    rows = [i for i, id_ in enumerate(info.ids) if trial and id_ == trial.id]
    st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    columns = {name: st.column_config.NumberColumn(format=f, help=info.helps[name]) for name, f in info.formats.items()}
    columns |= {name: st.column_config.TextColumn(help=info.helps[name]) for name in ("Trial", "Front")}
    st.dataframe(info.frame, key=key, hide_index=True, column_config=columns, selection_mode="single-row",
                 placeholder="–", on_select=choose_row_of(key, info.ids), alt="Trials and their numbers")  # fmt: skip


def choose_row_of(key: str, ids: Sequence[str]) -> Callable[[], None]:
    def tell() -> None:
        if rows := st.session_state[key]["selection"]["rows"]:
            choose(ids[rows[0]])

    return tell


_entry.require()
main()
