"""The machine and the versions that a trial was measured with."""

from __future__ import annotations

import streamlit as st

import lab
from lab.errors import UnknownId
from lab.plots import formatting
from lab.types import Trial


def machine(trial: Trial, base: Trial | None) -> None:
    if not trial.environment:
        st.write("There are no measurements yet.")
        return
    try:
        facts = lab.environment(trial.environment)
    except UnknownId:
        st.write("The machine of this trial was not recorded.")
        return
    memory = (
        formatting.value(facts["memory_bytes"], "B")
        if "memory_bytes" in facts
        else formatting.UNKNOWN
    )
    st.markdown(
        f"**{formatting.markdown(str(facts.get('cpu', 'unknown CPU')))}**,"
        f" {facts.get('cores', '?')} cores, {memory}"
    )
    st.caption(
        f"{formatting.markdown(str(facts.get('os', '')))} · Python {facts.get('python', '?')}"
    )
    if features := facts.get("features"):
        st.caption("Relevant instruction sets: " + ", ".join(map(str, features)))
    st.table({"version": {str(k): str(v) for k, v in (facts.get("versions") or {}).items()}})
