"""Models of the lab: a gallery, the details of each model, and a comparison of the architectures on
one data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import streamlit as st

import lab
from lab.plots import formatting
from lab.plots.architectures import (
    ACROSS,
    HEIGHT,
    architectures_figure,
    architectures_info,
    architectures_table,
)
from lab.plots.examples import examples_html
from lab.types import ModelCard, Study
from pages.panels.model import detail, input_text, numbers, results_button, sweep_button
from pages.widgets import address, entry, examples
from pages.widgets.chart import chart

TITLE, ICON, ORDER = "Models", ":material/deployed_code:", 1
COLUMNS = 3
ANY = "any"
VIEWS = {"gallery": "Gallery", "architectures": "Architectures"}
LARGEST = (50_000, 200_000, 1_000_000)
HOW_TO_ADD = "`python -m lab add MODEL_FILE --data DATA.npz`"


def main() -> None:
    cards = lab.models()
    if not cards:
        st.title("Models", anchor=False)
        st.info(f"There is no model yet. Add your own: {HOW_TO_ADD}", icon=":material/add:")
    elif (chosen := st.query_params.get("model")) in cards:
        back()
        detail(cards[chosen], [s for s in lab.studies() if s.model == chosen])
    else:
        if chosen:
            not_here(chosen)
        overview(list(cards.values()))


def back() -> None:
    st.button(
        "All models",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=open_model,
        args=(None,),
    )


def open_model(id_: str | None) -> None:
    """Open a model, or go back with the filters that the address keeps."""
    if id_ is None:
        st.query_params.pop("model", None)
    else:
        st.query_params["model"] = id_


def not_here(id_: str) -> None:
    st.error(
        f"There is no model **{formatting.markdown(id_)}** in this lab. The available models are"
        " below.",
        icon=":material/link_off:",
    )


def overview(cards: Sequence[ModelCard]) -> None:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        st.title("Models", anchor=False)
        st.write(
            "Pick a model. The lab compresses it in many ways and measures the accuracy, size and"
            " speed of each."
        )
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        view = address.segments("view", "View", list(VIEWS), VIEWS)
    if view == "gallery":
        gallery(cards)
    else:
        architectures(cards)


# --- the gallery ----------------------------------------------------------------------------------


def gallery(cards: Sequence[ModelCard]) -> None:
    shown = filtered(cards)
    items = examples.of(shown)
    studies = lab.studies()
    for start in range(0, len(shown), COLUMNS):
        for column, card in zip(
            st.columns(COLUMNS, gap="small"), shown[start : start + COLUMNS], strict=False
        ):
            with column, st.container(border=True, height="stretch", gap="small"):
                show(card, items.get(card.id), [s for s in studies if s.model == card.id])
    if not shown:
        st.info("No model matches all filters. Remove a filter.", icon=":material/filter_alt_off:")
    st.caption(f"Your own model: {HOW_TO_ADD}, then reload this page.")
    examples.await_rest(shown)


def filtered(cards: Sequence[ModelCard]) -> list[ModelCard]:
    """Return the cards within all filters; each filter offers the existing values."""
    sizes = {card.id: file_size(card) for card in cards}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        task = choice("task", "Task", {c.task: task_title(c.task) for c in cards})
        framework = choice(
            "framework", "Framework", {formatting.framework(c.framework): "" for c in cards}
        )
        data = choice("data", "Data", {c.dataset: data_title(c) for c in cards})
        largest = choice(
            "largest", "File", {str(b): f"up to {formatting.value(b, 'B')}" for b in LARGEST}
        )
        place = st.container(width=150)
    shown = [
        c
        for c in cards
        if task in (ANY, c.task)
        and framework in (ANY, formatting.framework(c.framework))
        and data in (ANY, c.dataset)
        and (largest == ANY or (sizes[c.id] or 0) <= int(largest))
    ]
    place.caption(
        f"{len(shown)} of {formatting.plural(len(cards), 'model')}"
        if len(shown) < len(cards)
        else formatting.plural(len(cards), "model")
    )
    return shown


def choice(name: str, label: str, texts: Mapping[str, str]) -> str:
    with st.container(width=220):
        return address.dropdown(
            name, label, [ANY, *texts], {ANY: "any", **{k: v or k for k, v in texts.items()}}
        )


def task_title(id_: str) -> str:
    task = lab.available_tasks().get(id_)
    return task.title if task else id_.replace("_", " ")


def data_title(card: ModelCard) -> str:
    dataset = lab.dataset_of(card)
    return dataset.title if dataset else f"data of {card.title}"


def file_size(card: ModelCard) -> int | None:
    path = Path(card.path)
    return path.stat().st_size if path.is_file() else None


def show(card: ModelCard, items: examples.Shown | None, studies: Sequence[Study]) -> None:
    """Draw a card as one element, because a gallery of many small ones opens slowly."""
    kind = [
        task_title(card.task),
        formatting.framework(card.framework),
        f"input: {input_text(card)}",
    ]
    st.html(
        f'<h2 style="font-size:1.1rem;margin:0;padding:0 0 2px">{escape(card.title)}</h2>'
        '<div style="font-size:.88em;opacity:.7;margin-bottom:12px">'
        f"{escape(' · '.join(kind))}</div>"
        f'<div style="min-height:56px">{picture(items)}</div>{facts(card)}'
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        sweep_button(card)
        st.button(
            "Details",
            key=f"open_{card.id}",
            icon=":material/info:",
            on_click=open_model,
            args=(card.id,),
        )
        results_button(card, studies)


def picture(items: examples.Shown | None) -> str:
    if items is None:
        return '<span style="opacity:.5;font-size:.86em">Loading test items …</span>'
    return examples_html(items.info, rows=1, captions=False) if items.info else items.problem


def facts(card: ModelCard) -> str:
    """Return the numbers of a card side by side as HTML."""
    cells = "".join(
        f'<div><div style="font-size:.78em;opacity:.7">{escape(label)}</div>'
        f'<div style="font-weight:600" title="{escape(help_)}">{escape(value)}</div>'
        f'<div style="font-size:.78em;opacity:.7;min-height:1.2em">{escape(below)}</div></div>'
        for label, value, below, help_ in numbers(card)
    )
    return (
        '<div style="display:grid;grid-template-columns:1.5fr 1fr 1fr'
        f' 1fr;gap:8px;margin-top:10px">{cells}</div>'
    )


# --- architectures --------------------------------------------------------------------------------


def architectures(cards: Sequence[ModelCard]) -> None:
    by_data: dict[str, list[ModelCard]] = {}
    for card in cards:
        by_data.setdefault(card.dataset, []).append(card)
    most_first = sorted(by_data, key=lambda data: -len(by_data[data]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        texts = {
            data: (
                f"{data_title(by_data[data][0])} ({formatting.plural(len(by_data[data]), 'model')})"
            )
            for data in by_data
        }
        with st.container(width=420):
            data = address.dropdown("on", "Data", most_first, texts)
        across = address.segments("across", "X axis", list(ACROSS), ACROSS)
    compared(by_data[data], across, data)


def compared(cards: Sequence[ModelCard], across: str, data: str) -> None:
    metric = lab.available_metrics()[lab.available_tasks()[cards[0].task].primary]
    sizes = {card.id: size for card in cards if (size := file_size(card))}
    info = architectures_info(cards, sizes, metric, across=across)
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(
            "Uncompressed models. Marker area: file size. Bars: 95 % intervals. Click a marker to"
            " open its model."
        )
        alt = (
            f"{metric.title} against {ACROSS[across].lower()} of"
            f" {formatting.plural(len(info.points), 'model')}; the table beside it has the same"
            " numbers."
        )
        chart(
            architectures_figure(info).to_json(),
            key=f"architectures_{data}_{across}",
            height=HEIGHT,
            alt=alt,
            on_choose=open_model,
        )
    with right:
        table = architectures_table(info)
        chosen = st.dataframe(
            table,
            hide_index=True,
            placeholder="–",
            on_select="rerun",
            selection_mode="single-row",
            key=f"table_{data}_{across}",
            alt="The same models and numbers",
            column_config=columns(table.columns),
        )
        if rows := chosen["selection"]["rows"]:
            st.button(
                f"Open {info.points[rows[0]].name}",
                on_click=open_model,
                args=(info.points[rows[0]].model,),
            )
        for title in info.left_out:
            st.caption(
                f"{formatting.markdown(title)} is not shown because one of its values is unknown."
            )


def columns(names: Sequence[str]) -> dict[str, object]:
    config = st.column_config
    shown = {
        names[1]: ("%.1f", 112),
        "File, kB": ("%.0f", 64),
        "Params, k": ("%.1f", 76),
        "MACs, M": ("%.2f", 72),
    }
    numeric = {
        name: config.NumberColumn(format=printf, width=width)
        for name, (printf, width) in shown.items()
    }
    star = config.TextColumn(
        width=34, help="★ No other model is at least as accurate with a lower value on the x axis."
    )
    return {**numeric, "95 % interval": config.TextColumn(width=96), "★": star}


entry.require()
main()
