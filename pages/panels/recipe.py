"""A trial's recipe: its steps and settings, its file, and the lines that run it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formatting
from lab.types import Trial
from pages.widgets.reader import only_reading


def recipe(trial: Trial, base: Trial | None) -> None:
    techniques = lab.available_techniques()
    for number, step in enumerate(trial.recipe.steps, 1):
        technique = techniques.get(step.technique)
        st.markdown(f"**{number}. {technique.title if technique else step.technique}**")
        labels = {o.id: o.label for o in technique.options} if technique else {}
        if settings := [
            f"{labels.get(k, k)}: **{value_text(v)}**"
            for k, v in step.params.items()
            if v not in ((), [], "")
        ]:
            st.caption(" · ".join(settings))
    if not trial.recipe.steps:
        st.write("The model runs unchanged.")
    download(trial)
    if notes := trial.details.notes:
        with st.expander("Records of the steps"):
            st.json(notes, expanded=2)
    reorder(trial)
    st.markdown("**Reproduce this trial**")
    reproduce(trial)


def reorder(trial: Trial) -> None:
    """Draw the button that tries the other order of steps."""
    if (
        only_reading()
        or not lab.can_reorder(trial)
        or not st.button(
            "Try the other order",
            icon=":material/swap_horiz:",
            key="reorder",
            help="Adds this recipe with two of its steps exchanged to the study.",
        )
    ):
        return
    try:
        added = lab.reorder(trial.id)
    except LabError as error:
        st.error(formatting.markdown(str(error)))
        return
    st.query_params["trial"] = added[0]
    st.rerun()


def value_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return formatting.markdown(", ".join(map(str, value)))
    return (
        {True: "on", False: "off"}.get(value, str(value))
        if isinstance(value, bool)
        else formatting.markdown(str(value))
    )


def download(trial: Trial) -> None:
    if trial.artifact is None:
        return
    path = Path(trial.artifact.path)
    if not path.is_file():
        st.caption("The file is not in this lab; the commands below build it.")
        return
    st.download_button(
        f"Download the model ({formatting.value(trial.artifact.size_bytes, 'B')})",
        path.read_bytes,
        f"{trial.name}{path.suffix}",
        "application/octet-stream",
        icon=":material/download:",
        key="model_file",
        on_click="ignore",
    )
    st.download_button(
        "Download with loading instructions (.zip)",
        _packed(trial.id),
        f"{trial.name}.zip",
        "application/zip",
        icon=":material/folder_zip:",
        key="model_zip",
        on_click="ignore",
    )
    st.caption(f"{trial.artifact.format}, SHA-256 `{trial.artifact.sha256[:16]}…`")


def _packed(trial_id: str) -> Callable[[], bytes]:
    """Return a function that writes the file on demand: a separate process analyses the model for
    seconds.
    """

    def write() -> bytes:
        with TemporaryDirectory() as folder:
            return lab.export_model(trial_id, Path(folder) / "model.zip").read_bytes()

    return write


def reproduce(trial: Trial) -> None:
    try:
        lines = lab.reproduce(trial)
    except LabError as error:
        st.warning(formatting.markdown(str(error)))
        return
    st.caption("On the command line")
    st.code(lines["cli"], language="bash", wrap_lines=True)
    st.caption("In Python or Jupyter")
    st.code(lines["python"], language="python", wrap_lines=True)
