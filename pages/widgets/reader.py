"""Read-only access through a link, which shows one study and allows no changes."""

from __future__ import annotations

import streamlit as st


def only_reading() -> bool:
    return "link" in st.query_params
