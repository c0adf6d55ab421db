"""Guided search: the form that starts one, and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

import lab
from lab.analysis.hypervolume import Course
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.search import HEIGHT, NAMES, reference_text, search_figure, search_info, search_text
from lab.spec.plan import plan
from lab.spec.search import OPTIONS, SAMPLERS, search_from_json
from lab.types import FINISHED, Study, StudySpec
from pages.widgets import address
from pages.widgets.chart import chart
from pages.widgets.reader import only_reading

RUNS = {"grid": "Full grid", "search": "Guided search"}
USUAL_SHARE = 0.35
"""Share of the grid that the usual sampler needed for 95 % of the hypervolume of the recorded
grids.
"""
WHAT = (
    "Runs the most promising trials first, learns from each, and stops when the budget is spent."
    " Results are available at any time."
)
SPENT = "Trials that are already measured come on top at no cost."
_OPTIONS = {option.id: option for option in OPTIONS}
_NONE: Mapping[str, Any] = {}


def search_form(spec: StudySpec, initial: Mapping[str, Any] = _NONE) -> dict[str, Any]:
    """Return the chosen search; empty for the full grid.

    Args:
        spec: the full grid.
        given: the search of a link, which the form begins with.
    """
    if (
        address.segments(
            "run", "Run", sorted(RUNS, key=lambda run: (run == "grid") == bool(initial)), RUNS
        )
        == "grid"
    ):
        return {}
    st.caption(WHAT)
    grid = len(plan(spec, lab.model(spec.model)).trials)
    usual = {
        **{id_: option.default for id_, option in _OPTIONS.items()},
        "trials": max(1, round(USUAL_SHARE * grid)),
        **initial,
    }
    left, right = st.columns(2)
    with left:
        trials = _number(
            "trials",
            "Maximum trials",
            usual["trials"],
            1,
            (f"The full grid has {grid} trials. {SPENT}"),
        )
    with right:
        minutes = _number(
            "minutes", "Maximum minutes", usual["minutes"], 0.0, _OPTIONS["minutes"].help
        )
    with st.expander("More"):
        samplers = sorted(SAMPLERS, key=lambda name: name != usual["sampler"])
        sampler = address.dropdown("sampler", "Sampler", samplers, NAMES)
        seed = _number("search_seed", "Seed", usual["seed"], 0, _OPTIONS["seed"].help)
        batch = _number("batch", "Trials at once", usual["batch"], 1, _OPTIONS["batch"].help)
        st.caption(_OPTIONS["sampler"].help)
    chosen = {
        "sampler": sampler,
        "trials": trials,
        "minutes": minutes,
        "seed": seed,
        "batch": batch,
    }
    return search_from_json({**initial, **chosen})


def _number(name: str, label: str, default: float, low: float, help_: str) -> float:
    """Draw a number that the address remembers, an integer if its default is one."""
    kind = type(low)
    key, in_address = f"search_{name}_{default}", address.number(name, default)
    start = max(low, kind(in_address)) if abs(in_address) < 1e9 else kind(default)
    return kind(
        st.number_input(
            label,
            low,
            value=start,
            step=kind(1),
            key=key,
            help=help_,
            on_change=address.remember,
            format="%d" if kind is int else "%g",
            args=(name, key, kind(default)),
        )
    )


# --- how it went ----------------------------------------------------------------------------------


@st.cache_resource(max_entries=32, show_spinner=False)
def course_of(study_id: str, revision: int) -> Course | None:
    return lab.search_course(study_id)


@st.cache_resource(max_entries=32, show_spinner=False)
def figure_of(study_id: str, revision: int) -> str:
    course = course_of(study_id, revision)
    return str(search_figure(search_info(course), f"search_{study_id}").to_json()) if course else ""


def search(study: Study) -> None:
    """Show the curve of a guided search, its cost, and a way to continue; nothing for a full
    grid.
    """
    course = course_of(study.id, study.revision) if study.spec.search else None
    spent = lab.search_spent(study.id) if course else None
    if course is None or spent is None:
        return
    chosen_by = str(study.spec.search["sampler"])
    with st.expander(
        f"Search progress ({NAMES.get(chosen_by, 'guided')})", icon=":material/travel_explore:"
    ):
        st.markdown(search_text(course, spent))
        chart(
            figure_of(study.id, study.revision),
            key=f"search_{study.id}",
            height=HEIGHT,
            alt=(
                f"Hypervolume over {formatting.plural(spent.trials, 'trial')} and"
                f" {spent.minutes:.1f} minutes; the text above has the figures."
            ),
        )
        units = {id_: metric.unit for id_, metric in lab.available_metrics().items()}
        st.caption(reference_text(course, units))
        if study.state in FINISHED and not only_reading():
            go_on(study.id, spent.trials, spent.of_trials)


def go_on(study_id: str, used: int, budget: int) -> None:
    with (
        st.form(f"search_on_{study_id}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        trials = st.number_input(
            "Total trials", used + 1, value=max(used + 1, budget + budget // 2), step=1, width=160
        )
        if st.form_submit_button("Continue the search", icon=":material/play_arrow:"):
            try:
                lab.search_on(study_id, int(trials))
            except LabError as error:
                st.error(formatting.markdown(str(error)))
            else:
                st.rerun()
