"""Whether somebody only looks: by a link, which shows one study and lets nothing be changed."""

from __future__ import annotations

import streamlit as st


def only_reading() -> bool:
    return "link" in st.query_params
