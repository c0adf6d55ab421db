"""Results of a study: its progress, the trade-off, the best pick under limits, and the details of
one trial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

import lab
from lab.errors import UnknownId
from lab.plots import formatting
from lab.types import FINISHED, Study
from pages.panels.notes import note, note_button
from pages.panels.progress import progress
from pages.panels.results import results
from pages.panels.share import share
from pages.panels.training import live
from pages.widgets import entry
from pages.widgets.importing import import_button, uploader
from pages.widgets.study_query import trials_of
from pages.widgets.title import LOOKS, model_title, title

TITLE, ICON, ORDER = "Results", ":material/scatter_plot:", 0
EXPORTS = {
    "html": "Report (HTML, works offline)",
    "ipynb": "Notebook that reruns the study",
    "csv": "CSV table",
    "parquet": "Parquet table",
    "json": "JSON",
    "lab": "Whole study (.lab)",
    "light.lab": "Study without models (.lab)",
}


def main() -> None:
    study = chosen_study()
    if study is None:
        nothing_yet()
        return
    header(study)
    # stays when the bar goes: what moves in the page's tree would be drawn anew and lose its zoom
    with st.container():
        progress(study, sum(t.state in FINISHED for t in trials_of(study.id, study.revision)))
        live(study)
    st.session_state.shown_study = study.id
    results(study)
    st.session_state.last_view = {name: st.query_params.get_all(name) for name in st.query_params}


# --- which study ----------------------------------------------------------------------------------


def chosen_study() -> Study | None:
    """Return the study in the address, else the last one shown, else the newest, else the
    example.
    """
    if "study" not in st.query_params and (last := st.session_state.get("last_view")):
        st.query_params.from_dict(last)
    wanted = st.query_params.get("study")
    if wanted is None:
        example = lab.example_study()
        wanted = next(
            (s.id for s in lab.studies() if s.id != example and not s.spec.about), example
        )
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
        f"There is no study **{formatting.markdown(id_)}** in this lab. The link may be cut off, or"
        " it comes from another lab: ask its owner to export the study as a .lab file.",
        icon=":material/link_off:",
    )
    if texts := study_texts(lab.studies()):
        st.selectbox(
            "Open another study",
            list(texts),
            None,
            texts.get,
            key="instead",
            on_change=go_to,
            args=("instead",),
        )
    st.page_link(
        "pages/models.py",
        label="Pick a model and start a new study",
        icon=":material/arrow_forward:",
    )
    uploader()


def go_to(key: str) -> None:
    st.query_params.from_dict({"study": st.session_state[key]})


def nothing_yet() -> None:
    st.title("No study yet", anchor=False)
    st.write(
        "A study tries many ways to compress one model and measures the accuracy, size, speed and"
        " memory of each."
    )
    st.page_link(
        "pages/models.py", label="Pick a model to start with", icon=":material/arrow_forward:"
    )


def study_texts(studies: Sequence[Study]) -> dict[str, str]:
    """Return id -> distinct name of each study, because a list knows its entries by their text."""
    texts = {s.id: study_text(s) for s in studies}
    often = Counter(texts.values())
    return {id_: text if often[text] == 1 else f"{text} · {id_}" for id_, text in texts.items()}


def study_text(study: Study) -> str:
    state = "" if study.state == "complete" else LOOKS[study.state][0]
    return " · ".join(
        filter(
            None,
            [model_title(study.model), study.title, formatting.moment(study.created_at), state],
        )
    )


# --- header and progress --------------------------------------------------------------------------


def header(study: Study) -> None:
    left, middle, right = st.columns([40, 28, 60], vertical_alignment="bottom")
    with left:
        title(study)
    with middle:
        other_studies(study)
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        actions(study)
    if study.id == lab.example_study():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                "This example ships with the lab. Click a point for its details, or start a study"
                " of your own:",
                width="content",
            )
            st.page_link("pages/models.py", label="pick a model", icon=":material/arrow_forward:")
    note(study.id)
    if study.error:
        st.error(
            formatting.markdown(str(study.error.get("message", "The study failed."))),
            icon=":material/error:",
        )


def other_studies(study: Study) -> None:
    texts = study_texts(lab.studies())
    st.session_state.open_study = study.id
    st.selectbox(
        "Open another study",
        list(texts),
        format_func=texts.get,
        key="open_study",
        label_visibility="collapsed",
        on_change=go_to,
        args=("open_study",),
    )


def actions(study: Study) -> None:
    if study.state not in FINISHED:
        if st.button(
            "Cancel",
            icon=":material/cancel:",
            help="Stops running trials and keeps finished ones.",
        ):
            lab.cancel(study.id)
            st.toast("Stopping. Finished trials are kept.", icon=":material/cancel:")
    elif any(t.state in ("failed", "cancelled") for t in trials_of(study.id, study.revision)):
        st.button(
            "Run again",
            icon=":material/replay:",
            on_click=lab.resume,
            args=(study.id,),
            help="Runs failed and cancelled trials again and keeps finished ones.",
        )
    note_button(study.id)
    share(study)
    import_button()
    with st.popover("Export", icon=":material/download:"):
        st.caption("All measurements, for other tools or another lab.")
        for ending, label in EXPORTS.items():
            st.download_button(
                label,
                exporter(study.id, ending),
                f"{study.model}-{study.id}.{ending}",
                key=f"export_{ending}",
                on_click="ignore",
                width="stretch",
            )


def exporter(study_id: str, ending: str) -> Callable[[], bytes]:
    """Return a function that writes the file on demand."""

    def write() -> bytes:
        with TemporaryDirectory() as folder:
            to = Path(folder) / f"study.{ending}"
            return lab.export(study_id, to, artifacts=ending != "light.lab").read_bytes()

    return write


entry.require()
main()
