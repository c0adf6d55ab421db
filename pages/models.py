"""The models to choose from: what each is for, how large and how good it is, and a look at its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formats
from lab.plots.examples import HEIGHT, examples_figure, examples_info
from lab.plugs import Dataset
from lab.types import ModelCard, Study
from pages import _entry
from pages._chart import chart

TITLE, ICON, ORDER = "Models", ":material/deployed_code:", 1
COLUMNS = 2
SHOWN_ITEMS = 8
FRAMEWORKS = {"keras": "Keras", "torch": "PyTorch", "torch_export": "PyTorch", "onnx": "ONNX", "tflite": "TFLite"}
LAYOUTS = {"NT": "a text of up to {0} characters", "N": "{0} numbers"}


def main() -> None:
    st.title("Models", anchor=False)
    st.write("Pick a model. The lab compresses it in many ways and measures what each way costs and gains.")
    cards = list(lab.models().values())
    if not cards:
        st.info(
            "There is no model yet. Add your own: `python -m lab add MODEL_FILE --data DATA.npz`",
            icon=":material/add:",
        )
        return
    studies = lab.studies()
    for start in range(0, len(cards), COLUMNS):
        for column, card in zip(st.columns(COLUMNS, gap="medium"), cards[start : start + COLUMNS], strict=False):
            with column, st.container(border=True, height="stretch"):
                show(card, [s for s in studies if s.model == card.id])
    st.caption("Your own model: `python -m lab add MODEL_FILE --data DATA.npz`, then reload this page.")


def show(card: ModelCard, studies: list[Study]) -> None:
    st.markdown(f"#### {formats.markdown(card.title)}")
    kind = [card.task, FRAMEWORKS.get(card.framework, card.framework), f"takes {input_text(card)}"]
    st.caption(formats.markdown(" · ".join(kind)))
    facts(card)
    data(card)
    if card.description:
        st.write(formats.markdown(card.description))
    with st.expander("Where it comes from"):
        origin(card)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Sweep this model", key=f"sweep_{card.id}", type="primary", icon=":material/tune:"):
            st.switch_page("pages/sweep.py", query_params={"model": card.id})
        if studies and st.button(f"Results ({len(studies)})", key=f"results_{card.id}", icon=":material/scatter_plot:"):
            st.switch_page("pages/study.py", query_params={"study": studies[0].id})


def input_text(card: ModelCard) -> str:
    spec = card.input
    if spec.layout in LAYOUTS and len(spec.shape) == 1:
        return LAYOUTS[spec.layout].format(*spec.shape)
    if len(spec.shape) != 3:
        return " × ".join(map(str, spec.shape)) + " numbers"
    height, width, channels = spec.shape if spec.layout == "NHWC" else (*spec.shape[1:], spec.shape[0])
    color = {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")
    return f"{height} × {width} {color} images"


def facts(card: ModelCard) -> None:
    accuracy, path = card.baseline.get("top1_accuracy"), Path(card.path)
    shown = [
        ("Accuracy", formats.value(accuracy.value, accuracy.unit) if accuracy else formats.UNKNOWN, None),
        ("File", formats.value(path.stat().st_size, "B") if path.is_file() else formats.UNKNOWN, "As it comes."),
        ("Parameters", formats.count(card.parameters), "Numbers that were learned."),
        ("MACs per item", formats.count(card.macs), "Multiply-accumulate operations: the work of one prediction."),
    ]
    for column, (label, value, help_) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(label, value, help=help_)
    if accuracy and (between := formats.interval(accuracy)):
        st.caption(f"Accuracy from {accuracy.n:,} test items, 95 % interval {between}.")


@st.cache_data(show_spinner="Reading a few test items …")
def items_of(model_id: str) -> tuple[np.ndarray, np.ndarray]:
    return lab.examples(model_id, SHOWN_ITEMS)


def data(card: ModelCard) -> None:
    """A few test items as they are: images drawn, texts written."""
    dataset = lab.dataset_of(card)
    try:
        items, labels = items_of(card.id)
    except (LabError, OSError, ImportError) as error:
        st.caption(f"Its data cannot be shown: {formats.markdown(str(error))}")
        return
    names = card.class_names or (dataset.class_names if dataset else ())
    if dataset and dataset.show == "text":
        texts(dataset, items, labels, names)
    elif is_image(items, dataset):
        info = examples_info(items, labels, names)
        chart(examples_figure(info).to_json(), key=f"items_{card.id}", height=HEIGHT, static=True,
              alt=f"Test images of the classes {', '.join(info.captions)}")  # fmt: skip


def is_image(items: Any, dataset: Dataset | None) -> bool:
    looks = items.ndim == 4 and (items.shape[1] in (1, 3) or items.shape[-1] in (1, 3))
    return looks and (dataset is None or dataset.show == "image")


def texts(dataset: Dataset, items: Any, labels: Any, names: tuple[str, ...]) -> None:
    read = [str(i) if isinstance(i, str) else dataset.decode(i) if dataset.decode else str(i) for i in items]
    named = [names[int(label)] if int(label) < len(names) else str(label) for label in labels]
    st.markdown(
        " ".join(
            f":gray-badge[{formats.markdown(t)} · {formats.markdown(n)}]" for t, n in zip(read, named, strict=True)
        )
    )


def origin(card: ModelCard) -> None:
    dataset = lab.dataset_of(card)
    st.markdown(said("Model", card.provenance, card.licence))
    if dataset:
        st.markdown(said(f"Data: {formats.markdown(dataset.title)}", dataset.provenance, dataset.licence))
    if card.class_names:
        names = formats.markdown(", ".join(card.class_names))
        st.markdown(f"**{len(card.class_names)} classes.** {names}")


def said(what: str, provenance: str, licence: str) -> str:
    return (
        f"**{what}.** {formats.markdown(provenance or 'Not said.')} Licence: {formats.markdown(licence or 'not said')}."
    )


_entry.require()
main()
