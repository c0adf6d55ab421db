"""Which layer costs the accuracy: each quantized alone and each left in float, and what to keep in
float next.
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
ORDERS = {"harm": "Most harmful first", "graph": "As the network computes"}
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
    found = sensitivity_of(study.id, study.revision)
    if not any(layer.alone for layer in found.layers):
        waiting(study)
        return
    said(study, found)
    order: Order = (
        "graph" if address.segments("order", "Order", list(ORDERS), ORDERS) == "graph" else "harm"
    )
    left, right = st.columns([1, 1], gap="medium")
    with left:
        plot(study, order)
    with right:
        names = table(study, found, order)
        actions(study, names)


# --- which one ------------------------------------------------------------------------------------


def about_layers() -> list[Study]:
    return [s for s in lab.studies() if s.spec.about.get("kind") == KIND]


def chosen() -> Study | None:
    """The study in the address, else the newest of its kind."""
    studies = about_layers()
    wanted = st.query_params.get("study")
    if wanted and wanted not in {s.id for s in studies}:
        st.warning(
            "The study in this address does not ask what layers cost, or is not in this lab."
        )
    study = next((s for s in studies if s.id == wanted), studies[0] if studies else None)
    if study:
        st.query_params["study"] = study.id
    return study


def nothing_yet() -> None:
    st.write(
        "Quantize one layer alone, leave one layer out, and see what each costs in accuracy and"
        " brings in size and time. Then keep the worst in float: a new recipe beside the others."
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
        st.info("The first layers appear here by themselves.", icon=":material/hourglass_empty:")
        return
    broken = next((t for t in lab.trials(study.id) if t.error), None)
    st.warning(
        f"No layer could be measured. {formatting.markdown(problem_of(broken)) if broken else ''}"
    )


# --- what was found -------------------------------------------------------------------------------


def said(study: Study, found: Sensitivity) -> None:
    """The recipe itself, and the layer that harms most, in a sentence."""
    whole, worst = found.whole, next((x for x in found.layers if x.noise), None)
    parts = []
    if whole and (m := whole.measurements.get("accuracy_change")):
        between = f" ({100 * (m.low or 0):+.1f} to {100 * (m.high or 0):+.1f})"
        parts.append(
            f"The whole recipe changes accuracy by **{100 * m.value:+.1f} points**{between}."
        )
    if worst:
        part = (
            f", and {100 * worst.recovered:.0f} % of the recipe's error is gone where it stays in"
            " float"
            if worst.recovered
            else ""
        )
        parts.append(
            f"Most harmful alone: **{formatting.markdown(worst.group.label)}**,"
            f" {100 * (worst.noise or 0):.2g} % error{part}."
        )
    failed = sum(t.state == "failed" for t in lab.trials(study.id))
    if failed:
        parts.append(f"{formatting.plural(failed, 'variant')} failed; the study's table says why.")
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
            "Error and change of accuracy of each layer quantized alone; the table has the same"
            " numbers."
        ),
    )
    st.caption(
        "Click a layer to choose it. Bars: error of the outputs when it alone is quantized."
        " Diamonds: accuracy, with 95 % interval."
    )


def picks_key(study: Study) -> str:
    return f"layers_picked_{study.id}"


def toggle(study: Study, id_: str) -> None:
    picked = list(st.session_state.get(picks_key(study), []))
    picked.remove(id_) if id_ in picked else picked.append(id_)
    st.session_state[picks_key(study)] = picked


def table(study: Study, found: Sensitivity, order: Order) -> list[str]:
    """The layers as a table with ticks; returns the names of those chosen."""
    ids = [layer.group.name for layer in in_order(found, order)]
    picked = [id_ for id_ in st.session_state.get(picks_key(study), []) if id_ in ids]
    key = f"layers_table_{study.id}_{order}"
    st.session_state[key] = {
        "selection": {"rows": [ids.index(id_) for id_ in picked], "columns": [], "cells": []}
    }

    def tell() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[picks_key(study)] = [ids[row] for row in rows]

    frame = sensitivity_table(found, order)
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        selection_mode="multi-row",
        on_select=tell,
        placeholder="–",
        column_config=columns(),
        height=min(38 + 35 * len(frame), 520),
        alt="What each layer costs and brings",
    )
    return picked


def columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "Error alone, %": number(
            format="%.3g",
            help="Share of the outputs' power that is error when this layer alone is quantized.",
        ),
        "SQNR alone, dB": number(
            format="%.1f", help="The same as a ratio: 20 dB is an error of a tenth in amplitude."
        ),
        "KL alone": number(
            format="%.2g",
            help="Divergence of the class probabilities from the float model's, in nats.",
        ),
        "Agreement alone, %": number(
            format="%.1f", help="Test items that are answered as the float model does."
        ),
        "Accuracy alone, points": number(
            format="%.2f", help="Change of accuracy against the float model."
        ),
        "Error gone in float, %": number(
            format="%.0f",
            help="Part of the whole recipe's error that goes where this layer stays in float.",
        ),
        "SQNR in float, dB": number(
            format="%.1f", help="Of the whole recipe with this layer left in float."
        ),
        "Won back in float, points": number(
            format="%.2f", help="Accuracy against the whole recipe's."
        ),
        "Bytes saved": number(
            format="localized", help="What quantizing this layer takes off the file."
        ),
        "Time in float, µs": number(
            format="%.1f",
            help="How much longer the model takes with this layer in float; below 0 it is quicker.",
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
        f"{formatting.plural(len(names), 'layer')} chosen"
        if names
        else "Tick layers, or click them in the plot"
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
                "Raise to 16 bit", disabled=not names, on_click=add, args=(study, names, "wide")
            )
    if study.state in FINISHED:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            budget = st.number_input(
                "Recipes at most",
                2,
                60,
                BUDGET,
                key="mix_budget",
                width=150,
                help="Layers are raised greedily, the most harmful first, one more in each recipe.",
            )
            st.button(
                "Mixed precision by itself",
                icon=":material/auto_awesome:",
                on_click=mix,
                args=(study, int(budget), "keep_float"),
            )
            if "wide" in options:
                st.button("… in 16 bit", on_click=mix, args=(study, int(budget), "wide"))
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
    """Where the new trials are, and how far."""
    done = st.session_state.get(f"layers_added_{study.id}")
    if isinstance(done, str):
        st.error(formatting.markdown(done))
    elif done:
        parent = study.spec.about["study"]
        st.success(
            f"{formatting.plural(len(done), 'trial')} beside the others in the study.",
            icon=":material/check:",
        )
        if st.button("Show in the study", icon=":material/scatter_plot:", key="show_added"):
            st.switch_page("pages/study.py", query_params={"study": parent, "trial": done[-1]})


entry.require()
main()
