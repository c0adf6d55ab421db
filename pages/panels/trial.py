"""Details of one trial: metrics, timings, layers, recipe and machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

import lab
from lab.analysis.differences import Difference, against_baselines
from lab.analysis.front import baseline_of
from lab.errors import LabError
from lab.plots import formatting, words
from lab.plots.emulated import emulated_rows, emulated_texts
from lab.plots.latency import HEIGHT, conditions_text, latency_figure, latency_info, quality_text
from lab.plots.table import leading, numbers_info, parts_info, problem_of, state_words
from lab.types import Measurement, Trial
from pages.panels.comparison import compare
from pages.panels.machine import machine
from pages.panels.notes import note, note_button
from pages.panels.operators import operators
from pages.panels.recipe import recipe
from pages.panels.scaling import scaling_section
from pages.panels.size import size
from pages.panels.threads import no_gain
from pages.panels.training import training
from pages.panels.why import why
from pages.widgets.chart import chart
from pages.widgets.reader import only_reading

STARTING = ("Scaling", "Layers")
"""Sections that start a study."""
FEW_LAYERS = 5


def detail(trial: Trial | None, trials: Sequence[Trial], pick: str | None = None) -> None:
    if trial is None:
        st.write("Click a point in the plot or select a row of the table to see a trial.")
        return
    base = baseline_of(trial, trials)
    target = formatting.target_text(
        trial.target, formatting.varying_options(t.target for t in trials)
    )
    st.markdown(f"##### {formatting.markdown(trial.name)}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"on {formatting.markdown(target)} · {state_words(trial)}", width="content")
        if trial.id == pick:
            st.badge("best pick", color="green", icon=":material/star:")
        if trial.is_baseline:
            st.badge("float baseline", color="blue")
        if pick and trial.id != pick:
            st.button(
                "Show the best pick", icon=":material/star:", type="tertiary", on_click=back_to_pick
            )
        note_button(trial.study, trial.id)
    note(trial.study, trial.id)
    if trial.error:
        problem(trial)
    if trial.measurements:
        headline(trial, base, known_of(trial))
        no_gain(trial)
    sections: dict[str, Callable[[Trial, Trial | None], None]] = {
        "Why": lambda trial, base: why(trial, trials),
        "Numbers": numbers,
        "Compare": compare,
        "Timing": timing,
        "Operators": operators,
        "Size": size,
        "Scaling": lambda trial, base: scaling_section(trial),
        "Layers": layers,
        **(
            {"Training": lambda trial, base: training(trial)}
            if any(t.details.training for t in trials)
            else {}
        ),
        "Recipe": recipe,
        "Machine": machine,
    }
    if only_reading():
        sections = {name: section for name, section in sections.items() if name not in STARTING}
    tabs = st.tabs(list(sections), key="detail", bind="query-params")
    for tab, section in zip(tabs, sections.values(), strict=True):
        if tab.open:
            with tab:
                section(trial, base)


@st.cache_resource(max_entries=32, show_spinner=False)
def differences_of(study_id: str, revision: int) -> Mapping[str, Mapping[str, Difference]]:
    """Return the differences of every trial from its baseline, corrected for the number of
    trials.
    """
    return against_baselines(
        lab.trials(study_id), [o.metric for o in lab.study(study_id).spec.objectives]
    )


def known_of(trial: Trial) -> Mapping[str, Difference]:
    return differences_of(trial.study, lab.study(trial.study).revision).get(trial.id, {})


def back_to_pick() -> None:
    """Go back to the best pick, which is shown if the address names no trial."""
    st.query_params.pop("trial", None)


def problem(trial: Trial) -> None:
    error = trial.error or {}
    remedy = str(error.get("remedy") or "").rstrip(".")
    cause = problem_of(trial).removesuffix(f"{remedy}.").strip() or "This trial failed."
    st.error(formatting.markdown(cause), icon=":material/error:")
    if remedy:
        st.markdown(f"**Remedy:** {formatting.markdown(remedy)}.")
    if log := str(error.get("traceback") or error.get("message") or ""):
        with st.expander("Log"):
            st.code(log, language=None, wrap_lines=True)


def headline(trial: Trial, base: Trial | None, differences: Mapping[str, Difference]) -> None:
    shown = [id_ for id_ in leading() if id_ in trial.measurements]
    for column, id_ in zip(st.columns(max(len(shown), 1)), shown, strict=True):
        m, other = (
            trial.measurements[id_],
            base if base and base.id != trial.id and id_ in base.measurements else None,
        )
        change, color = versus(id_, trial, other, differences) if other else (None, "off")
        name, value = formatting.capital(words.plain(id_)), formatting.value(m.value, m.unit)
        column.metric(
            name, value, change, delta_color=color, delta_arrow="off", help=interval_help(m)
        )


def interval_help(m: Measurement) -> str:
    between = formatting.interval(m)
    return (
        f"95 % interval {between}, {m.n} samples. The line below compares with the float model;"
        " grey means that the difference may be chance."
        if between
        else "An exact number."
    )


def versus(
    metric: str, trial: Trial, base: Trial, differences: Mapping[str, Difference]
) -> tuple[str, str]:
    """Return the change in words and its colour: green for better, red for worse, grey if it may be
    chance.
    """
    m, other = trial.measurements[metric], base.measurements[metric]
    text = formatting.change(m, other, plainly=True)
    if text == "no change" or not words.certain(metric, trial, base, differences):
        return text, "gray"
    better = (m.value > other.value) == (lab.available_metrics()[metric].direction == "maximize")
    return text, "green" if better else "red"


def numbers(trial: Trial, base: Trial | None) -> None:
    if not trial.measurements:
        st.write(
            "There are no measurements because the trial failed."
            if trial.error
            else "There are no measurements yet."
        )
        return
    frame = numbers_info(trial, base, lab.available_metrics(), known_of(trial))
    st.dataframe(frame, hide_index=True, height="content", alt="All metrics of this trial")
    other_processors(trial)
    classes(trial, base)
    if any(trial.float_operators.values()):
        listed = ", ".join(f"{count} × {name}" for name, count in trial.float_operators.items())
        st.caption(f"Computed in float: {formatting.markdown(listed)}.")


def other_processors(trial: Trial) -> None:
    """Show the emulated predictions on other processors."""
    if not (rows := emulated_rows(trial)):
        return
    for text in emulated_texts(trial):
        st.caption(f":material/devices: {formatting.markdown(text)}")
    with st.expander(f"Same file on other processors, emulated ({len(rows)})"):
        st.dataframe(rows, hide_index=True, alt="Predictions of this file on other processors")


def classes(trial: Trial, base: Trial | None) -> None:
    card = lab.card_of(trial.study)
    for id_, frame in parts_info(trial, base, card.class_names).items():
        with st.expander(f"All classes ({len(frame)})"):
            st.dataframe(
                frame, hide_index=True, alt=f"{lab.available_metrics()[id_].title}, class by class"
            )


def timing(trial: Trial, base: Trial | None) -> None:
    rounds = lab.latency_samples(trial)
    if not rounds:
        st.write("This trial has no raw timings because it was not measured in this lab.")
        return
    info = latency_info(rounds, trial.measurements.get("latency_s"))
    chart(
        latency_figure(info).to_json(), key="timing", height=HEIGHT, alt=f"Raw timings: {info.note}"
    )
    st.caption(f"{info.note}. Dashed: median. Band: its 95 % interval.")
    if kept := trial.details.timing:
        spec = lab.study(trial.study).spec
        st.caption(quality_text(kept, spec.precision, spec.budget_s))
    if text := conditions_text(lab.measuring_conditions(trial)):
        st.caption(f":material/thermostat: {text}")


def layers(trial: Trial, base: Trial | None) -> None:
    """Show the layers that cost accuracy, or the button that finds them."""
    if not lab.can_choose_layers(trial):
        st.write(
            "No step of this recipe can keep single layers in float, so it cannot be studied layer"
            " by layer."
        )
        return
    study_id = lab.sensitivity_study(trial.id)
    if study_id is None:
        st.write(
            "A layer study quantizes each layer alone and leaves each one out, and so finds its"
            " cost in accuracy and its gain in size and time."
        )
        if st.button(
            "Find the layers that cost accuracy",
            icon=":material/stacked_bar_chart:",
            key="find_layers",
        ):
            try:
                study_id = lab.start_sensitivity(trial.id)
            except LabError as error:
                st.error(formatting.markdown(str(error)))
                return
            st.switch_page("pages/layers.py", query_params={"study": study_id})
        return
    if st.button("Show layer by layer", icon=":material/stacked_bar_chart:", key="show_layers"):
        st.switch_page("pages/layers.py", query_params={"study": study_id})
    worst = [x for x in lab.sensitivity(study_id).layers if x.noise][:FEW_LAYERS]
    st.dataframe(
        [
            {
                "Layer": x.group.label,
                "Error if only this layer is quantized": f"{100 * (x.noise or 0):.2g} %",
            }
            for x in worst
        ],
        hide_index=True,
        alt="The most harmful layers",
    )
