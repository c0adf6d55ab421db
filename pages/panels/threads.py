"""Threads that bring no speed-up."""

from __future__ import annotations

import streamlit as st

import lab
from lab.analysis.threads import NoGain, without_effect
from lab.types import Trial

ABOUT_AS_FAST = 0.95


@st.cache_resource(max_entries=32, show_spinner=False)
def threads_of(study_id: str, revision: int) -> tuple[NoGain, ...]:
    return without_effect(lab.trials(study_id))


def no_gain(trial: Trial) -> None:
    """Mark a trial whose additional threads have no effect."""
    no_gains = threads_of(trial.study, lab.study(trial.study).revision)
    gain = next((g for g in no_gains if g.trial == trial.id), None)
    if gain:
        word = (
            "as fast as" if gain.speedup > ABOUT_AS_FAST else f"{1 / gain.speedup:.1f}× slower than"
        )
        st.caption(
            f":material/sync_disabled: With {gain.threads} threads it is {word} with"
            f" {gain.fewer_threads}: more threads do not help here."
        )
