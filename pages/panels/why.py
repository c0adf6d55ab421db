"""Reasons why a trial is not faster or not smaller: findings of the rules, with figures and
advice.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import lab
from lab.evidence import Finding
from lab.plots import formatting
from lab.types import Trial

HEADINGS = {"speed": "Speed", "size": "Size", "accuracy": "Accuracy"}
ICONS = {
    "speed": ":material/speed:",
    "size": ":material/compress:",
    "accuracy": ":material/target:",
}
FEW = 3


@st.cache_resource(max_entries=64, show_spinner=False)
def findings_of(trial_id: str, revision: int, _trials: Sequence[Trial]) -> Sequence[Finding]:
    return lab.explain(trial_id, _trials)


def why(trial: Trial, trials: Sequence[Trial]) -> None:
    """Show the findings, the largest first, grouped by subject."""
    if trial.state != "complete":
        st.write("Reasons appear when the trial is complete.")
        return
    findings = findings_of(trial.id, lab.study(trial.study).revision, trials)
    if not findings:
        st.write(
            "This is the float model, the baseline of all comparisons."
            if trial.is_baseline
            else "No rule found a reason why this trial is not faster or smaller."
        )
        return
    for about, heading in HEADINGS.items():
        about_this = [f for f in findings if f.about == about]
        if about_this:
            st.markdown(f"{ICONS[about]} **{heading}**")
            for finding in about_this[:FEW]:
                tell(finding)
            if about_this[FEW:]:
                with st.expander(f"{len(about_this) - FEW} more about {about}"):
                    for finding in about_this[FEW:]:
                        tell(finding)


def tell(finding: Finding) -> None:
    rule = lab.available_rules()[finding.rule]
    st.markdown(
        f"**{formatting.markdown(rule.title)}.** {formatting.markdown(finding.text)}",
        help=rule.help,
    )
    st.caption(f":material/arrow_forward: {formatting.markdown(finding.remedy)}")
