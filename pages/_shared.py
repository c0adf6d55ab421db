"""View of one study through a link: read only, with no way to anything else."""

from __future__ import annotations

import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formatting
from lab.store.sharing import Link
from lab.types import FINISHED
from pages.panels.notes import note
from pages.panels.progress import progress
from pages.panels.results import results
from pages.widgets.study_query import trials_of
from pages.widgets.title import title

BOUND = ("detail",)
"""Query parameters that widgets set by themselves, and that only they may set."""


def main() -> None:
    token = st.query_params.get("link", "")
    try:
        link = lab.link(token)
    except LabError as error:
        st.title("This link does not work", anchor=False)
        st.error(formatting.markdown(str(error)), icon=":material/link_off:")
        return
    open_view(link)
    study = lab.study(link.study)
    st.session_state.shown_study = study.id
    title(study)
    st.caption(":material/visibility: Shared with you, read only. You can filter and set limits.")
    note(study.id)
    with st.container():
        progress(study, sum(t.state in FINISHED for t in trials_of(study.id, study.revision)))
    results(study)


def open_view(link: Link) -> None:
    """Restore the shared view once; afterwards it belongs to the viewer."""
    if st.session_state.get("opened_link") == link.token:
        return
    st.session_state.opened_link = link.token
    for name, values in link.view.items():
        if name in BOUND:
            st.session_state.setdefault(name, values[-1])
        elif name not in st.query_params:
            st.query_params[name] = list(values)


main()
