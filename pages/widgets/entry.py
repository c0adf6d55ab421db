"""Start of every page by `streamlit_app.py`, also of the first page requested from a fresh
server.

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
    """Run the entry file instead, if Streamlit runs a page by itself. Every page calls this
    first.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(ENTRY))
        st.stop()
