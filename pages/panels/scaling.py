"""Scaling of one trial's time with threads and batch size: measured on request, shown while it is
measured.
"""

from __future__ import annotations

import streamlit as st

import lab
from lab.analysis.scaling import Dimension, Scaling
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.scaling import HEIGHT, scaling_figure, scaling_info, scaling_rows, scaling_texts
from lab.plots.table import problem_of
from lab.types import FINISHED, Study, Trial
from pages.panels.progress import POLL_S, progress
from pages.widgets.chart import chart

TITLES: dict[Dimension, str] = {
    "threads": "Dashed: ideal speed-up. Thin: fit of Amdahl's law.",
    "batch": ("Dashed: no gain from batches. Dotted: no overhead per call. Thin: fit."),
}


def scaling_section(trial: Trial) -> None:
    """Show the curves over threads and batch size, or the button that starts their measurement."""
    study_id = lab.scaling_study(trial.id)
    if study_id is None:
        ask(trial)
        return
    study = lab.study(study_id)
    progress(study, lab.progress(study.id).done, 2 * POLL_S)
    result = scaling_of(study.id, study.revision)
    if result.threads.points or result.batch.points:
        curves(study, result)
    elif study.state in FINISHED:
        broken = next((t for t in lab.trials(study.id) if t.error), None)
        st.warning(
            "Nothing could be measured."
            f" {formatting.markdown(problem_of(broken)) if broken else ''}"
        )
    else:
        st.info("The first points appear here automatically.", icon=":material/hourglass_empty:")


def ask(trial: Trial) -> None:
    st.write(
        "Measure how the speed of this variant and of the float model changes with the number of"
        " threads and with the batch size."
    )
    if st.button("Measure threads and batches", icon=":material/speed:", key="measure_scaling"):
        try:
            lab.start_scaling(trial.id)
        except LabError as error:
            st.error(formatting.markdown(str(error)))
            return
        st.rerun()


@st.cache_resource(max_entries=16, show_spinner=False)
def scaling_of(study_id: str, revision: int) -> Scaling:
    return lab.scaling(study_id)


@st.cache_resource(max_entries=32, show_spinner=False)
def figure_of(study_id: str, revision: int, dimension: Dimension) -> str:
    return str(scaling_figure(scaling_info(scaling_of(study_id, revision), dimension)).to_json())


def curves(study: Study, result: Scaling) -> None:
    for text in scaling_texts(result):
        st.markdown(formatting.markdown(text))
    for dimension, caption in TITLES.items():
        if len((result.threads if dimension == "threads" else result.batch).points) > 1:
            chart(
                figure_of(study.id, study.revision, dimension),
                key=f"scaling_{study.id}_{dimension}",
                height=HEIGHT,
                alt=f"Curve over {dimension}; the table has the same numbers.",
            )
            st.caption(caption)
    rows = scaling_rows(result)
    if not any(row["Remarks"] for row in rows):
        rows = [{name: cell for name, cell in row.items() if name != "Remarks"} for row in rows]
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        alt="Latency and items per second for each number of threads and batch size",
    )
    if st.button("Show all measurements", icon=":material/scatter_plot:", key="show_scaling"):
        st.switch_page("pages/study.py", query_params={"study": study.id})
