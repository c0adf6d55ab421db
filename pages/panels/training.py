"""Training curves: running trainings of a study, the training of a trial, and all trainings of a
study.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import lab
from lab.analysis.training import Training, of_trial, of_trials
from lab.plots import formatting
from lab.plots.training import (
    HEIGHT,
    MOST,
    TALL,
    count_text,
    progress_text,
    share_done,
    training_figure,
    training_info,
    training_rows,
)
from lab.types import FINISHED, Study, Trial
from pages.panels.progress import POLL_S
from pages.widgets.chart import chart

CAPTION = "Thick: held-out items. Thin: training loss, averaged since the previous point."
ABREAST, MOST_ROWS = 2, 4


def live(study: Study) -> None:
    """Show the running trainings, redrawn every two seconds; nothing without training recipes, or
    after the study has ended.
    """
    if study.state not in FINISHED and lab.training_curves(study.id):
        st.fragment(_live, run_every=POLL_S)(study.id)


def _live(study_id: str) -> None:
    trainings_now = lab.training_curves(study_id)
    running = [t for t in trainings_now if t.state == "running"]
    with st.container(border=True, key="live_training"):
        st.markdown(f"**Training** · {count_text(trainings_now)}")
        columns = st.columns(ABREAST) * MOST_ROWS if running else []
        for column, training in zip(columns, running, strict=False):
            with column:
                st.progress(
                    share_done(training),
                    f"**{formatting.markdown(training.name)}**: {progress_text(training)}",
                )
        if not running:
            st.caption(idle_text(trainings_now))
        curves(trainings_now, f"live_training_{study_id}")


def idle_text(trainings_now: Sequence[Training]) -> str:
    """Explain why no training is running."""
    if any(t.state == "waiting" for t in trainings_now):
        return (
            "No training is running. The next one starts when its input files are built and a core"
            " is free."
        )
    return "All trainings are done. Their models are now quantized and measured."


def curves(shown: Sequence[Training], key: str, *, stacked: bool = False) -> None:
    """Draw the curves in one plot."""
    info = training_info(shown)
    if not info.lines:
        return
    chart(
        training_figure(info, key, stacked=stacked).to_json(),
        key=key,
        height=TALL if stacked else HEIGHT,
        alt=f"Loss and accuracy over steps of {formatting.plural(len(info.lines), 'training')}.",
    )
    more = f" {info.left_out} more are not shown." if info.left_out else ""
    st.caption(CAPTION + more)


def training(trial: Trial) -> None:
    """Show the training of a trial's file, step by step of its recipe."""
    steps = of_trial(trial)
    if not steps:
        st.write("This recipe has no training step.")
        return
    techniques = lab.available_techniques()
    for number, one in enumerate(steps):
        technique = techniques.get(one.name)
        titled = Training(one.key, technique.title if technique else one.name, one.phases)
        if len(steps) > 1:
            st.markdown(f"**{formatting.markdown(titled.name)}**")
        curves([titled], f"training_{trial.id}_{number}", stacked=True)
        st.dataframe(training_rows([titled]), hide_index=True, alt="Results of this training")
    for name, note in (trial.details.notes or {}).items():
        if str(name).startswith("training"):
            st.caption(
                f"{formatting.capital(formatting.markdown(str(name)))}:"
                f" {formatting.markdown(str(note))}."
            )
    st.caption("Recipes that start with the same steps share one training.")


def trainings(study: Study, trials: Sequence[Trial]) -> None:
    """Show all trainings of a finished study beside each other."""
    every = of_trials(trials)
    if len(every) < 2 or study.state not in FINISHED:
        return
    with st.expander(f"Training curves ({len(every)})", icon=":material/model_training:"):
        names = {t.key: t.name for t in every}
        drawn = st.multiselect(
            "Curves shown",
            list(names),
            list(names)[:MOST],
            format_func=lambda key: names[key],
            key=f"trainings_drawn_{study.id}",
            max_selections=MOST,
        )
        curves([t for t in every if t.key in drawn], f"trainings_{study.id}")
        st.dataframe(training_rows(every), hide_index=True, alt="Results of each training")
