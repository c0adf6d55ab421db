"""Details of one model: data, metrics, layers, graph and origin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

import lab
from lab.analysis.pruning import KIND as PRUNING
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.examples import examples_html
from lab.plots.layers import layers_table, totals
from lab.types import Layer, ModelCard, Study
from pages.widgets import address, examples
from pages.widgets.netron import graph

LAYOUTS = {"NT": "text of up to {0} characters", "N": "{0} numbers"}
SECTIONS = {"layers": "Layers", "graph": "Graph", "origin": "Origin"}
LONG_S = 60.0
PRUNABLE = (
    "Only PyTorch and Keras models can be pruned and trained; this model has no training framework."
)
FEW = 15
"""Number of layers shown without scrolling."""


def input_text(card: ModelCard) -> str:
    """Describe the input of a model."""
    spec, dataset = card.input, lab.dataset_of(card)
    if dataset and dataset.show == "spectrogram":
        return "spectrograms, " + " × ".join(map(str, dataset.show_shape or _plain(spec.shape)))
    if dataset and dataset.show == "waveform":
        return (
            "movement, " + " × ".join(map(str, _plain(spec.shape)))
            if "motion" in dataset.tags
            else "waveforms"
        )
    if spec.layout in LAYOUTS and len(spec.shape) == 1:
        return LAYOUTS[spec.layout].format(*spec.shape)
    if len(spec.shape) != 3:
        return " × ".join(map(str, spec.shape)) + " numbers"
    height, width, channels = (
        spec.shape if spec.layout == "NHWC" else (*spec.shape[1:], spec.shape[0])
    )
    color = {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")
    return f"{height} × {width} {color} images"


def _plain(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def numbers(card: ModelCard) -> list[tuple[str, str, str, str]]:
    """Return (label, value, text below it, help) of the most important numbers."""
    quality, path = lab.primary(card), Path(card.path)
    noun = _quality_noun(card)
    between = formatting.interval(quality) if quality else ""
    tested = (
        f"On {quality.n:,} test items; 95 % interval {between}." if quality else "Not measured yet."
    )
    return [
        (
            noun,
            formatting.value(quality.value, quality.unit) if quality else formatting.UNKNOWN,
            between,
            tested,
        ),
        (
            "File",
            formatting.value(path.stat().st_size, "B") if path.is_file() else formatting.UNKNOWN,
            "",
            "Size of the uncompressed model file.",
        ),
        (
            "Parameters",
            formatting.count(card.parameters),
            "",
            ("Number of trained values in the model."),
        ),
        (
            "MACs",
            formatting.count(card.macs),
            "per item",
            "Multiply-accumulate operations of one prediction.",
        ),
    ]


def _quality_noun(card: ModelCard) -> str:
    task = lab.available_tasks().get(card.task)
    return task.noun[:1].upper() + task.noun[1:] if task else "Quality"


def sweep_button(card: ModelCard) -> None:
    if st.button("Sweep", key=f"sweep_{card.id}", type="primary", icon=":material/tune:"):
        st.switch_page("pages/sweep.py", query_params={"model": card.id})


def results_button(card: ModelCard, studies: Sequence[Study]) -> None:
    if studies and st.button(
        f"Results ({len(studies)})", key=f"results_{card.id}", icon=":material/scatter_plot:"
    ):
        st.switch_page("pages/study.py", query_params={"study": studies[0].id})


def pruning_button(card: ModelCard, studies: Sequence[Study]) -> None:
    """Draw the button to the model's pruning study, an existing or a new one."""
    able = lab.can_prune(card.id)
    why = (
        "Compares pruning of whole channels and of single weights, with and without fine-tuning."
        if able
        else PRUNABLE
    )
    if not st.button(
        "Cost of pruning",
        key=f"pruning_{card.id}",
        icon=":material/content_cut:",
        help=why,
        disabled=not able,
    ):
        return
    running = [
        s.id
        for s in studies
        if s.spec.about.get("kind") == PRUNING and s.state not in ("failed", "cancelled")
    ]
    try:
        study = running[0] if running else lab.start(lab.pruning_spec(card.id), "Cost of pruning")
    except LabError as error:
        st.error(formatting.markdown(str(error)))
        return
    st.switch_page("pages/pruning.py", query_params={"study": study})


def detail(card: ModelCard, studies: Sequence[Study]) -> None:
    st.title(formatting.markdown(card.title), anchor=False)
    left, right = st.columns([11, 9], gap="medium")
    with left:
        kind = [
            _task_title(card),
            formatting.framework(card.framework),
            f"input: {input_text(card)}",
        ]
        st.caption(formatting.markdown(" · ".join(kind)))
        if card.description:
            st.write(formatting.markdown(card.description))
        with st.container(horizontal=True):
            sweep_button(card)
            results_button(card, studies)
            pruning_button(card, studies)
    with right:
        figures(card)
    data(card)
    section = address.segments("show", "Details", list(SECTIONS), SECTIONS)
    {"layers": layers, "graph": drawn, "origin": origin}[section](card)


def _task_title(card: ModelCard) -> str:
    task = lab.available_tasks().get(card.task)
    return task.title if task else card.task


def figures(card: ModelCard) -> None:
    """Show the model's numbers, then every metric of its test."""
    shown = numbers(card)
    for column, (label, value, _, help_) in zip(st.columns([1.2, 1, 1.2, 1.2]), shown, strict=True):
        column.metric(label, value, help=help_)
    metrics = lab.available_metrics()
    rows = [
        {
            "Metric": metrics[id_].title if id_ in metrics else id_,
            "Value": formatting.value(m.value, m.unit),
            "95 % interval": formatting.interval(m) or "–",
            "Test items": f"{m.n:,}",
        }
        for id_, m in card.baseline.items()
    ]
    if len(rows) > 1:
        with st.expander(f"All {len(rows)} test metrics"):
            st.dataframe(
                rows, hide_index=True, alt="Metrics of the uncompressed model on the test set"
            )
    elif (quality := lab.primary(card)) and (between := formatting.interval(quality)):
        st.caption(f"{_quality_noun(card)} on {quality.n:,} test items, 95 % interval {between}.")


@st.fragment
def data(card: ModelCard) -> None:
    """Show a few test items as soon as they are loaded."""
    dataset = lab.dataset_of(card)
    st.markdown(
        f"##### Test items: {formatting.markdown(dataset.title)}" if dataset else "##### Test items"
    )
    with st.spinner("Loading test items …"):
        items = examples.of([card], LONG_S).get(card.id)
    if items and items.info:
        width = {"image": 760, "spectrogram": 900, "waveform": 900, "text": 1100}[items.info.kind]
        st.html(f'<div style="max-width:{width}px">{examples_html(items.info)}</div>')
    else:
        st.caption(
            items.problem
            if items and items.problem
            else "These items are plain numbers and have no picture."
        )


# --- layers, graph, origin ------------------------------------------------------------------------


@st.cache_data(
    show_spinner="Reading the layers. The first time, this starts the model's framework …"
)
def layers_of(model_id: str, path: str, changed: float) -> list[Layer]:
    return lab.layers(model_id)


@st.fragment
def layers(card: ModelCard) -> None:
    path = Path(card.path)
    try:
        model_layers = layers_of(
            card.id, card.path, path.stat().st_mtime if path.is_file() else 0.0
        )
    except LabError as error:
        st.caption(f"The layers cannot be shown: {formatting.markdown(str(error))}")
        return
    table = layers_table(model_layers)
    st.caption(f"**{totals(model_layers)}.** Click a column's name to sort by it.")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config=_columns(),
        alt="The layers of the model in the order in which they run",
        height="content" if len(table) <= FEW else 560,
    )


def _columns() -> dict[str, Any]:
    share = {"min_value": 0, "max_value": 100, "format": "%.1f %%"}
    config = st.column_config
    return {
        "#": config.NumberColumn(width=48),
        "Layer": config.TextColumn(width="medium"),
        "Output shape": config.TextColumn(help="Shape of the layer's output for one item."),
        "Parameters": config.NumberColumn(
            format="localized",
            help=(
                "Values stored for this layer; a weight shared by several layers counts for the"
                " first one."
            ),
        ),
        "MACs": config.NumberColumn(
            format="localized", help="Multiply-accumulate operations of this layer for one item."
        ),
        "Share of parameters": config.ProgressColumn(**share),
        "Share of MACs": config.ProgressColumn(**share),
        "Output, kB": config.NumberColumn(
            format="%.2f", help="Memory of the layer's output for one item."
        ),
    }


def drawn(card: ModelCard) -> None:
    path = Path(card.path)
    if not path.is_file():
        st.caption("The model file is not in this lab.")
        return
    st.caption(
        "Drawn by Netron from the model's own file. Click an operator to see its settings and"
        " weights; the wheel zooms."
    )
    graph(
        path,
        f"{card.id}{path.suffix}",
        alt=f"Graph of the operators of {card.title}; the layer table lists them.",
    )


def origin(card: ModelCard) -> None:
    dataset = lab.dataset_of(card)
    st.markdown(_said("Model", card.provenance, card.licence))
    recipe(card)
    if dataset:
        st.markdown(
            _said(
                f"Data: {formatting.markdown(dataset.title)}", dataset.provenance, dataset.licence
            )
        )
    if card.class_names:
        names = formatting.markdown(", ".join(card.class_names))
        st.markdown(f"**{len(card.class_names)} classes.** {names}")


def _said(title: str, provenance: str, licence: str) -> str:
    return (
        f"**{title}.** {formatting.markdown(provenance.replace('`', '') or 'Unknown.')} Licence:"
        f" {formatting.markdown(licence or 'unknown')}."
    )


def recipe(card: ModelCard) -> None:
    """Show the command that trains the model again, and the time it took."""
    record = Path(card.path).with_suffix(".json")
    if not record.is_file():
        return
    facts = json.loads(record.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    st.markdown(
        f"**Training** took {formatting.duration(facts.get('seconds'))} with"
        f" {formatting.markdown(versions)}. Train the model again:"
    )
    st.code(f"python -m lab train {card.id}", language="bash")
