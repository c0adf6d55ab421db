"""Every page is run by `streamlit_app.py`, also the very first one that a fresh server is asked
for.

Streamlit runs the files of a folder named `pages` by itself until some session has called
`st.navigation`. A link opened right after a restart would show a page without the app around it; so
a page that finds itself run that way begins with the entry file.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

ENTRY = Path(__file__).parents[2] / "streamlit_app.py"


def require() -> None:
    """The first line of every page."""
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(ENTRY))
        st.stop()
