"""Time of a trial by operator, beside the float model or any other profiled trial."""

from __future__ import annotations

import json

import streamlit as st

import lab
from lab.plots import formatting, words
from lab.plots.profile import height_of, kinds_rows, profile_info, profile_rows, profile_spec
from lab.types import Trial
from pages.widgets.chart import chart

ALONE = ""


def operators(trial: Trial, base: Trial | None) -> None:
    """Show bars, the time by kind, and the table of operators."""
    profile = lab.profile(trial)
    if profile is None:
        st.write(
            "This trial has no profile: its runtime reports no operator times, or an older version"
            " of the lab measured it."
        )
        return
    others = {t.id: t for t in lab.trials(trial.study) if t.id != trial.id and t.details.profile}
    ids = sorted(others, key=lambda id_: id_ != (base.id if base else ""))
    shown = formatting.varying_options(t.target for t in [*others.values(), trial])

    def name(id_: str) -> str:
        return words.trial_text(others[id_], shown) if id_ else "no other trial"

    first = [*ids, ALONE] if base and base.id in others else [ALONE, *ids]
    chosen = st.selectbox("Compare with", first, format_func=name, key=f"beside_{trial.id}")
    other = lab.profile(others[chosen]) if chosen else None
    same = bool(other) and others[chosen].name == trial.name
    names = [
        words.trial_text(t, shown) if same else t.name
        for t in ([trial, others[chosen]] if other else [trial])
    ]
    info = profile_info(profile, other, names)
    chart(
        json.dumps(profile_spec(info)),
        key="profile",
        height=height_of(info),
        alt="Time of each layer; the table below has the same numbers",
    )
    st.dataframe(kinds_rows(profile, other, names), hide_index=True, alt="Time by kind of operator")
    with st.expander(f"All operators ({len(profile.operators)})"):
        st.dataframe(profile_rows(profile), hide_index=True, alt="All operators of this trial")
    st.caption(info.note)
