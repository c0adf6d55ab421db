"""Layer by layer: effect of quantizing each layer alone and of keeping each in float, and the next
recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

import lab
from lab.analysis.sensitivity import KIND, Sensitivity
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.sensitivity import (
    Order,
    height_of,
    in_order,
    sensitivity_figure,
    sensitivity_info,
    sensitivity_table,
)
from lab.plots.table import problem_of
from lab.types import FINISHED, Study
from pages.panels.progress import POLL_S, progress
from pages.widgets import address, entry
from pages.widgets.chart import chart

TITLE, ICON, ORDER = "Layers", ":material/stacked_bar_chart:", 3
ORDERS = {"harm": "Most harmful first", "graph": "Network order"}
BUDGET = 12


def main() -> None:
    st.title("Layer by layer", anchor=False)
    study = chosen()
    if study is None:
        nothing_yet()
        return
    header(study)
    with st.container():
        progress(study, lab.progress(study.id).done, 2 * POLL_S)
    result = sensitivity_of(study.id, study.revision)
    if not any(layer.alone for layer in result.layers):
        waiting(study)
        return
    summary(study, result)
    order: Order = (
        "graph" if address.segments("order", "Order", list(ORDERS), ORDERS) == "graph" else "harm"
    )
    left, right = st.columns([1, 1], gap="medium")
    with left:
        plot(study, order)
    with right:
        names = table(study, result, order)
        actions(study, names)


# --- which one ------------------------------------------------------------------------------------


def about_layers() -> list[Study]:
    return [s for s in lab.studies() if s.spec.about.get("kind") == KIND]


def chosen() -> Study | None:
    """Return the study in the address, else the newest layer study."""
    studies = about_layers()
    wanted = st.query_params.get("study")
    if wanted and wanted not in {s.id for s in studies}:
        st.warning("The study in this address is not a layer study, or is not in this lab.")
    study = next((s for s in studies if s.id == wanted), studies[0] if studies else None)
    if study:
        st.query_params["study"] = study.id
    return study


def nothing_yet() -> None:
    st.write(
        "A layer study quantizes each layer alone and leaves each one out, and so finds its cost"
        " in accuracy and its gain in size and time. You can then keep the most harmful layers in"
        " float with a new recipe."
    )
    st.markdown(
        "**Try this:** open a study, choose a trial that quantizes weights and activations, and"
        " press **Find the layers that cost accuracy** under *Layers*."
    )
    st.page_link("pages/study.py", label="Open a study", icon=":material/arrow_forward:")


def header(study: Study) -> None:
    left, right = st.columns([5, 3], vertical_alignment="bottom")
    target = study.spec.targets[0]
    title = lab.card_of(study.id).title
    shown = formatting.target_text(target, ("threads",))
    name = study.title.removeprefix("Layer by layer: ")
    left.markdown(
        f"**{formatting.markdown(name)}** of {formatting.markdown(title)} on"
        f" {formatting.markdown(shown)}"
    )
    with right:
        texts = {
            s.id: f"{lab.card_of(s.id).title} · {s.title.removeprefix('Layer by layer: ')}"
            for s in about_layers()
        }
        st.session_state.open_layers = study.id
        st.selectbox(
            "Open another",
            list(texts),
            format_func=texts.get,
            key="open_layers",
            label_visibility="collapsed",
            on_change=lambda: st.query_params.from_dict({"study": st.session_state.open_layers}),
        )


@st.cache_resource(max_entries=16, show_spinner=False)
def sensitivity_of(study_id: str, revision: int) -> Sensitivity:
    return lab.sensitivity(study_id)


@st.cache_resource(max_entries=16, show_spinner=False)
def figure_of(study_id: str, revision: int, order: Order) -> tuple[str, int]:
    rows = sensitivity_info(sensitivity_of(study_id, revision), order)
    return sensitivity_figure(rows).to_json(), height_of(rows)


def waiting(study: Study) -> None:
    if study.state not in FINISHED:
        st.info("The first layers appear here automatically.", icon=":material/hourglass_empty:")
        return
    broken = next((t for t in lab.trials(study.id) if t.error), None)
    st.warning(
        f"No layer could be measured. {formatting.markdown(problem_of(broken)) if broken else ''}"
    )


# --- what was found -------------------------------------------------------------------------------


def summary(study: Study, result: Sensitivity) -> None:
    """Describe the recipe itself and the most harmful layer."""
    whole, worst = result.whole, next((x for x in result.layers if x.noise), None)
    parts = []
    if whole and (m := whole.measurements.get("accuracy_change")):
        between = f" ({100 * (m.low or 0):+.1f} to {100 * (m.high or 0):+.1f})"
        parts.append(
            f"The whole recipe changes accuracy by **{100 * m.value:+.1f} points**{between}."
        )
    if worst:
        part = (
            f"; keeping it in float removes {100 * worst.recovered:.0f} % of the recipe's error"
            if worst.recovered
            else ""
        )
        parts.append(
            f"Most harmful layer: **{formatting.markdown(worst.group.label)}** with"
            f" {100 * (worst.noise or 0):.2g} % error{part}."
        )
    failed = sum(t.state == "failed" for t in lab.trials(study.id))
    if failed:
        parts.append(
            f"{formatting.plural(failed, 'variant')} failed; the study's table shows the errors."
        )
    st.markdown(" ".join(parts))


def plot(study: Study, order: Order) -> None:
    figure, height = figure_of(study.id, study.revision, order)
    picked = st.session_state.get(picks_key(study), [])
    chart(
        figure,
        key=f"layers_{study.id}_{order}",
        height=height,
        chosen=picked,
        on_choose=lambda id_: toggle(study, id_),
        alt=(
            "Error and change of accuracy if only this layer is quantized; the table has the same"
            " numbers."
        ),
    )
    st.caption(
        "Click a layer to select it. Bars: output error if only this layer is quantized. Diamonds:"
        " accuracy with 95 % interval."
    )


def picks_key(study: Study) -> str:
    return f"layers_picked_{study.id}"


def toggle(study: Study, id_: str) -> None:
    picked = list(st.session_state.get(picks_key(study), []))
    picked.remove(id_) if id_ in picked else picked.append(id_)
    st.session_state[picks_key(study)] = picked


def table(study: Study, result: Sensitivity, order: Order) -> list[str]:
    """Draw the layers as a selectable table; return the names of the selected ones."""
    ids = [layer.group.name for layer in in_order(result, order)]
    picked = [id_ for id_ in st.session_state.get(picks_key(study), []) if id_ in ids]
    key = f"layers_table_{study.id}_{order}"
    st.session_state[key] = {
        "selection": {"rows": [ids.index(id_) for id_ in picked], "columns": [], "cells": []}
    }

    def tell() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[picks_key(study)] = [ids[row] for row in rows]

    frame = sensitivity_table(result, order)
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        selection_mode="multi-row",
        on_select=tell,
        placeholder="–",
        column_config=columns(),
        height=min(38 + 35 * len(frame), 520),
        alt="Cost and gain of each layer",
    )
    return picked


def columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "Error alone, %": number(
            format="%.3g",
            help="Share of the output power that is error if only this layer is quantized.",
        ),
        "SQNR alone, dB": number(
            format="%.1f",
            help=(
                "Signal-to-noise ratio of the same error: 20 dB is an error of a tenth in"
                " amplitude."
            ),
        ),
        "KL alone": number(
            format="%.2g",
            help="Divergence of the class probabilities from those of the float model, in nats.",
        ),
        "Agreement alone, %": number(
            format="%.1f", help="Share of test items with the same prediction as the float model."
        ),
        "Accuracy alone, points": number(
            format="%.2f", help="Change of accuracy against the float model."
        ),
        "Error removed in float, %": number(
            format="%.0f",
            help="Share of the whole recipe's error that is removed if this layer stays in float.",
        ),
        "SQNR in float, dB": number(
            format="%.1f",
            help=("Signal-to-noise ratio of the whole recipe with this layer kept in float."),
        ),
        "Accuracy gain in float, points": number(
            format="%.2f",
            help=("Accuracy gained over the whole recipe if this layer stays in float."),
        ),
        "Bytes saved": number(
            format="localized", help="Bytes that quantizing this layer removes from the file."
        ),
        "Time in float, µs": number(
            format="%.1f",
            help="Additional time with this layer in float; below 0 the model is faster.",
        ),
    }


# --- what to do about it --------------------------------------------------------------------------


def actions(study: Study, names: Sequence[str]) -> None:
    options = {
        o.id
        for o in lab.available_techniques()[
            study.spec.recipes[0].steps[study.spec.about["step"]].technique
        ].options
    }
    words = (
        f"{formatting.plural(len(names), 'layer')} selected"
        if names
        else "Select layers in the table or the plot"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(words, width="content")
        st.button(
            "Keep in float",
            type="primary",
            disabled=not names,
            on_click=add,
            args=(study, names, "keep_float"),
        )
        if "wide" in options:
            st.button(
                "Raise to 16 bits", disabled=not names, on_click=add, args=(study, names, "wide")
            )
    if study.state in FINISHED:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            budget = st.number_input(
                "Maximum recipes",
                2,
                60,
                BUDGET,
                key="mix_budget",
                width=150,
                help="Each recipe raises one more layer, the most harmful first.",
            )
            st.button(
                "Find mixed precision automatically",
                icon=":material/auto_awesome:",
                on_click=mix,
                args=(study, int(budget), "keep_float"),
            )
            if "wide" in options:
                st.button("… with 16 bits", on_click=mix, args=(study, int(budget), "wide"))
    added(study)


def add(study: Study, names: Sequence[str], option: str) -> None:
    tell(study, lambda: lab.raise_layers(study.id, names, option))


def mix(study: Study, budget: int, option: str) -> None:
    tell(study, lambda: lab.mixed_precision(study.id, budget, option))


def tell(study: Study, work: Any) -> None:
    try:
        st.session_state[f"layers_added_{study.id}"] = work()
    except LabError as error:
        st.session_state[f"layers_added_{study.id}"] = str(error)


def added(study: Study) -> None:
    """Show the new trials and a way to them."""
    done = st.session_state.get(f"layers_added_{study.id}")
    if isinstance(done, str):
        st.error(formatting.markdown(done))
    elif done:
        parent = study.spec.about["study"]
        st.success(
            f"{formatting.plural(len(done), 'trial')} added to the study.",
            icon=":material/check:",
        )
        if st.button("Show in the study", icon=":material/scatter_plot:", key="show_added"):
            st.switch_page("pages/study.py", query_params={"study": parent, "trial": done[-1]})


entry.require()
main()
