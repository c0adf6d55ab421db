"""Title and state of a study."""

from __future__ import annotations

import streamlit as st

import lab
from lab.plots import formatting
from lab.types import Study

LOOKS = {
    "complete": ("finished", "green", ":material/check_circle:"),
    "running": ("running", "blue", ":material/autorenew:"),
    "queued": ("waiting", "gray", ":material/hourglass_empty:"),
    "failed": ("failed", "red", ":material/error:"),
    "cancelled": ("cancelled", "orange", ":material/cancel:"),
}


def title(study: Study) -> None:
    label, color, icon = LOOKS[study.state]
    preset = f"{study.spec.preset} sweep" if study.spec.preset else ""
    facts = [formatting.markdown(study.title), preset, formatting.moment(study.created_at)]
    st.title(formatting.markdown(model_title(study.model)), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(label, color=color, icon=icon)
        st.caption(" · ".join(filter(None, facts)), width="content")


def model_title(id_: str) -> str:
    card = lab.models().get(id_)
    return card.title if card else id_
