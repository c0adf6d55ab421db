"""Progress bar that updates itself while a study runs, and redraws the page for new results."""

from __future__ import annotations

import time

import streamlit as st

import lab
from lab.plots import formatting
from lab.types import FINISHED, Study

POLL_S = 2.0
REST_S = 0.005
"""Pause between redraws per trial of a running study: a large study must not keep the server
busy.
"""


def progress(study: Study, done: int | None, least_rest_s: float = POLL_S) -> None:
    """Draw the progress bar until the study ends.

    Args:
        done: finished trials that the page shows; None where it also shows what has not finished,
            and follows every change.
        least_rest_s: pause between redraws, for pages that are costly to draw.
    """
    if study.state not in FINISHED:
        st.fragment(_live, run_every=POLL_S)(study, done, least_rest_s)


def _live(study: Study, shown: int | None, least_rest_s: float) -> None:
    study_id, state = study.id, study.state
    now, drawn_at = lab.progress(study_id), f"drawn_at_{study_id}"
    rested = time.monotonic() - st.session_state.get(drawn_at, 0.0) > max(
        least_rest_s, now.total * REST_S
    )
    latest = lab.study(study_id)
    fresh = latest.revision != study.revision if shown is None else now.done != shown
    if latest.state != state or (fresh and rested):
        st.session_state[drawn_at] = time.monotonic()
        st.rerun()
    st.progress(now.done / now.total if now.total else 0.0, text=progress_text(now, state))


def progress_text(now: lab.Progress, state: str) -> str:
    """Describe the progress, the failures and the remaining time."""
    if state == "queued" and now.queue_position:
        return (
            f"Waiting: {now.queue_position}"
            f" {'study is' if now.queue_position == 1 else 'studies are'} ahead."
        )
    failed = f", {now.failed} failed" if now.failed else ""
    left = f", {formatting.duration(now.seconds_left)} left" if now.seconds_left is not None else ""
    return f"**{now.done} of {now.total}** trials done{failed}{left}" + (
        f" · {now.stage}" if now.stage else ""
    )
