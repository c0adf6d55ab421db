"""Import of studies from other labs as `.lab` files."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formatting

MOST_MB = 64


def import_button() -> None:
    """Draw a button that opens the uploader."""
    with st.popover("Import", icon=":material/upload:", help="Opens a study from another lab"):
        uploader()


def uploader() -> None:
    """Draw the uploader, which imports a file and opens its study, or reports an error."""
    number = st.session_state.setdefault("imports", 0)
    key = f"import_{number}"
    st.file_uploader(
        "A study from another lab (.lab)",
        type="lab",
        key=key,
        on_change=_take,
        args=(key,),
        max_upload_size=MOST_MB,
        help=(
            "The other lab writes it with Export, or with `python -m lab export STUDY --to"
            " FILE.lab`. Importing runs no code from the file."
        ),
    )
    if problem := st.session_state.pop("import_problem", None):
        st.error(formatting.markdown(problem), icon=":material/error:")


def _take(key: str) -> None:
    uploaded = st.session_state.get(key)
    if uploaded is None:
        return
    st.session_state.imports += (
        1  # an empty uploader, so that the next rerun does not find the file again
    )
    try:
        id_ = _read(uploaded.name, uploaded.getvalue())
    except LabError as error:
        st.session_state.import_problem = (
            f"{uploaded.name}: {error.problem.rstrip('.')}. {error.remedy}"
        )
        return
    st.query_params.from_dict({"study": id_})
    st.toast("Imported with its original measurements.", icon=":material/upload:")


def _read(name: str, content: bytes) -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder) / (
            re.sub(r"[^A-Za-z0-9._-]", "_", name)[-80:].lstrip(".") or "study.lab"
        )
        file.write_bytes(content)
        return lab.import_study(file)
