"""Notes on a study or a trial: everyone may read them, editors may write them."""

from __future__ import annotations

import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formatting
from lab.store.sharing import LONGEST_NOTE
from pages.widgets.reader import only_reading

HELP = (
    "Markdown: # heading, **bold**, - list, [name](https://…). Everyone who opens this study sees"
    " the note, also through a shared link."
)


def note(study_id: str, trial_id: str = "") -> None:
    """Show the note, if there is one."""
    if text := lab.notes(study_id).get(trial_id):
        with st.container(border=True):
            st.markdown(formatting.note(text))


def note_button(study_id: str, trial_id: str = "") -> None:
    """Draw a field for the note."""
    if only_reading():
        return
    text, key = lab.notes(study_id).get(trial_id, ""), f"note_{trial_id or study_id}"
    with st.popover(
        "Note",
        icon=":material/edit_note:",
        key=f"{key}_open",
        type="tertiary" if trial_id else "secondary",
    ):
        st.text_area(
            "Note",
            text,
            key=key,
            height=220,
            max_chars=LONGEST_NOTE,
            help=HELP,
            label_visibility="collapsed",
            placeholder="Findings, decisions and reasons",
        )
        st.button(
            "Save",
            key=f"{key}_save",
            type="primary",
            on_click=_save,
            args=(study_id, trial_id, key),
        )


def _save(study_id: str, trial_id: str, key: str) -> None:
    try:
        lab.set_note(study_id, st.session_state[key], trial_id)
    except LabError as error:
        st.toast(formatting.markdown(str(error)), icon=":material/error:")
