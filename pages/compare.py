"""Two to four trials side by side: recipes, metrics, classes, flipped test items, layers, sizes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import streamlit as st

import lab
from lab.analysis.deltas import corrected, deltas
from lab.analysis.front import comparable
from lab.analysis.pick import pick
from lab.errors import UnknownId
from lab.plots import formatting, words
from lab.plots.across_words import distinct_names
from lab.plots.deltas import LETTERS, column, delta_rows, forest_info, forest_spec
from lab.plots.deltas import height_of as forest_height
from lab.plots.differences import difference_rows, items_text
from lab.plots.flips import naming
from lab.plots.recipe_diff import recipe_diff_rows, same_text
from lab.plots.table import leading, ordered_metrics
from lab.plugs import Metric
from lab.types import Study, Trial
from pages.panels.flips import Pair, classes, flipped
from pages.panels.layer_comparison import columns_of, layers, size
from pages.widgets import address, entry
from pages.widgets.chart import chart
from pages.widgets.study_query import trials_of
from pages.widgets.title import model_title

TITLE, ICON, ORDER = "Compare", ":material/compare:", 0.4
MOST = 4
COLORS = ("blue", "orange", "green", "violet")
OTHER_DATA = (
    "These trials were evaluated on different test data or numbers of items. Accuracy and"
    " predictions cannot be compared; size and time can."
)
OTHER_MACHINE = (
    "These trials were measured on different machines or with different versions, so a difference"
    " in time is not caused by the recipe alone."
)


def main() -> None:
    st.title("Compare", anchor=False)
    study = chosen_study()
    if study is None:
        st.write(
            "Compare the recipes, metrics, predictions, layers and sizes of two to four trials"
            " side by side."
        )
        st.page_link(
            "pages/models.py", label="Pick a model to start with", icon=":material/arrow_forward:"
        )
        return
    trials = chooser(study, trials_in_address(study))
    if len(trials) < 2:
        st.info(
            "Choose two to four trials above. The first is the reference that the others are"
            " compared with.",
            icon=":material/compare:",
        )
        return
    headers(trials)
    sections(trials)


# --- which trials ---------------------------------------------------------------------------------


def chosen_study() -> Study | None:
    """Return the study in the address, else the last one shown, else the newest, else the
    example.
    """
    wanted = st.query_params.get("study") or st.session_state.get("shown_study")
    studies = {s.id: s for s in lab.studies()}
    if st.query_params.get("study") and wanted not in studies:
        st.warning("The study in this address is not in this lab.")
    if wanted not in studies:
        wanted = (
            next((s.id for s in studies.values() if not s.spec.about), None) or lab.example_study()
        )
    return lab.study(wanted) if wanted else None


def trials_in_address(study: Study) -> list[Trial]:
    """Return the trials in the address; without any, the float baseline and the best pick."""
    if "trials" not in st.query_params:
        return usual(study)
    ids = list(dict.fromkeys(filter(None, st.query_params["trials"].split(","))))
    trials = [trial for id_ in ids[:MOST] if (trial := finished_trial(id_))]
    if len(trials) < len(ids[:MOST]):
        st.warning("A trial in this address is not in this lab, or has not finished.")
    return trials


def finished_trial(id_: str) -> Trial | None:
    try:
        study = lab.study(id_.rpartition("-")[0])
    except UnknownId:
        return None
    return next(
        (t for t in trials_of(study.id, study.revision) if t.id == id_ and t.measurements), None
    )


def usual(study: Study) -> list[Trial]:
    trials, objectives = trials_of(study.id, study.revision), study.spec.objectives
    if not comparable(trials, objectives):
        return []
    best = pick(trials, objectives)
    by_id = {t.id: t for t in trials}
    ids = dict.fromkeys(
        [best.baseline, best.trial, *(t.id for t in trials if t.state == "complete")]
    )
    return [by_id[id_] for id_ in ids if id_ in by_id][:2]


def chooser(study: Study, chosen: Sequence[Trial]) -> list[Trial]:
    """Draw the choice of trials, in order: the first is the reference."""
    listed = [t for t in trials_of(study.id, study.revision) if t.measurements]
    by_id = {t.id: t for t in [*chosen, *listed]}
    shown = formatting.varying_options(t.target for t in by_id.values())
    left, right = st.columns([2, 5], vertical_alignment="bottom")
    with left:
        studies = distinct_names({s.id: study_text(s) for s in lab.studies()})
        st.session_state.compare_study = study.id
        st.selectbox(
            "Study",
            list(studies),
            format_func=studies.get,
            key="compare_study",
            on_change=open_study,
        )
    with right:
        st.session_state.compare_trials = [t.id for t in chosen]
        texts = distinct_names({id_: trial_label(t, study, shown) for id_, t in by_id.items()})
        selected = st.multiselect(
            "Compare",
            list(by_id),
            format_func=lambda id_: texts[id_],
            key="compare_trials",
            max_selections=MOST,
            on_change=remember,
            placeholder="Choose two to four trials",
        )
    st.query_params["study"] = study.id
    if selected:
        keep(selected)
    return [by_id[id_] for id_ in selected]


def trial_label(trial: Trial, study: Study, shown: Sequence[str]) -> str:
    other = "" if trial.study == study.id else f" ({study_text(lab.study(trial.study))})"
    return words.trial_text(trial, shown) + other


def study_text(study: Study) -> str:
    return " · ".join(
        filter(None, [model_title(study.model), study.title, formatting.moment(study.created_at)])
    )


def open_study() -> None:
    """Open another study and keep the chosen trials, so that trials of several studies can be
    compared.
    """
    st.query_params["study"] = st.session_state.compare_study


def remember() -> None:
    keep([*st.session_state.compare_trials])


def keep(ids: Sequence[str]) -> None:
    st.query_params["trials"] = ",".join(ids)


def headers(trials: Sequence[Trial]) -> None:
    """Draw a card per trial with its most important metrics."""
    shown = formatting.varying_options(t.target for t in trials)
    several = len({t.study for t in trials}) > 1
    for n, (place, trial) in enumerate(
        zip(st.columns(len(trials), gap="small"), trials, strict=True)
    ):
        with place, st.container(border=True, height="stretch", gap="small"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(LETTERS[n], color=COLORS[n])
                st.markdown(f"**{formatting.markdown(trial.name)}**", width="content")
            target = formatting.target_text(trial.target, shown)
            study = f" · {study_text(lab.study(trial.study))}" if several else ""
            st.caption(
                formatting.markdown(f"on {target}{study}")
                + (" · float baseline" if trial.is_baseline else "")
            )
            st.markdown(
                " · ".join(
                    formatting.value(m.value, m.unit)
                    for id_ in leading()
                    if (m := trial.measurements.get(id_))
                )
            )
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                if n == 0:
                    st.badge("reference", color="gray")
                else:
                    st.button(
                        "Make reference",
                        icon=":material/swap_horiz:",
                        key=f"reference_{n}",
                        type="tertiary",
                        on_click=keep,
                        args=([trial.id, *(t.id for t in trials if t.id != trial.id)],),
                    )
                if st.button(
                    "Open", icon=":material/arrow_forward:", key=f"open_{n}", type="tertiary"
                ):
                    st.switch_page(
                        "pages/study.py", query_params={"study": trial.study, "trial": trial.id}
                    )


# --- what differs ---------------------------------------------------------------------------------


def sections(trials: Sequence[Trial]) -> None:
    alike = lab.same_items(trials)
    if not alike:
        st.warning(OTHER_DATA, icon=":material/dataset:")
    if len({t.environment for t in trials if t.environment}) > 1:
        st.warning(OTHER_MACHINE, icon=":material/devices:")
    looked_into = any(t.details.anatomy for t in trials)
    parts: dict[str, Callable[[Sequence[Trial], bool], None]] = {
        "Recipe": recipe,
        "Numbers": numbers,
        **({"Classes": by_class, "Flipped items": by_item} if alike else {}),
        **({"Layers": layers} if looked_into or any(t.details.profile for t in trials) else {}),
        **({"Size": size} if looked_into else {}),
    }
    tabs = st.tabs(list(parts), key="beside", bind="query-params")
    for tab, part in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                part(trials, alike)


def recipe(trials: Sequence[Trial], alike: bool) -> None:
    techniques = lab.available_techniques()
    diff = lab.recipe_diff(trials)
    rows = recipe_diff_rows(diff, columns_of(trials), techniques, lab.available_runtimes())
    if rows:
        st.dataframe(rows, hide_index=True, height="content", alt="Differences between the recipes")
    else:
        st.write("All recipes and targets are identical.")
    folded = "Settings that are equal or at their default are hidden."
    st.caption(" ".join(filter(None, [formatting.markdown(same_text(diff, techniques)), folded])))


def numbers(trials: Sequence[Trial], alike: bool) -> None:
    metrics = {id_: m for id_, m in lab.available_metrics().items() if alike or not m.tasks}
    reference, others = trials[0], trials[1:]
    judged = {
        id_: metrics[id_]
        for id_ in ordered_metrics(trials, metrics)
        if id_ in metrics and drawn(metrics[id_])
    }
    differences = deltas(reference, others, judged)
    named = [(t.id, column(n, t)) for n, t in enumerate(trials)][1:]
    panels = [
        forest_info(differences, metrics, named, LETTERS[0], kind) for kind in ("change", "ratio")
    ]
    panels = [panel for panel in panels if panel.rows]
    for place, panel in zip(st.columns(max(len(panels), 1), gap="medium"), panels, strict=False):
        with place:
            chart(
                json.dumps(forest_spec(panel)),
                key=f"forest_{panel.kind}_{'_'.join(t.id for t in trials)}",
                height=forest_height(panel),
                alt=(
                    "Differences from the reference with their intervals; the table below has the"
                    " same numbers."
                ),
            )
    st.caption(
        "↑ higher is better, ↓ lower is better. Bars: 95 % intervals from paired items or rounds."
        " Hollow: may be chance."
    )
    corrected_by_trial = corrected(reference, others, list(metrics))
    st.dataframe(
        delta_rows(trials, metrics, corrected_by_trial),
        hide_index=True,
        height="content",
        alt="All metrics beside those of the reference",
    )
    st.caption(
        "≈ The difference may be chance. Verdicts are corrected for the number of compared trials."
    )
    tests(trials, alike)


def drawn(metric: Metric) -> bool:
    """Return True for metrics that fit the plot: other shares, such as that of zeros, would dwarf
    the quality metrics.
    """
    return bool(metric.tasks) or metric.unit != "1"


def tests(trials: Sequence[Trial], alike: bool) -> None:
    """Show the intervals and tests behind each verdict."""
    metrics = {id_: m for id_, m in lab.available_metrics().items() if alike or not m.tasks}
    for n, trial in enumerate(trials[1:], 1):
        with st.expander(f"{LETTERS[n]} against {LETTERS[0]}: intervals and tests"):
            titles = {m.title for m in metrics.values()}
            shown = (
                row for row in difference_rows(trial, trials[0], metrics) if row["Metric"] in titles
            )
            called = {"This": LETTERS[n], "Other": LETTERS[0]}
            rows = [{called.get(name, name): text for name, text in row.items()} for row in shown]
            st.dataframe(
                rows,
                hide_index=True,
                height="content",
                alt=f"Differences of {LETTERS[n]} from {LETTERS[0]} with intervals and tests",
            )
            if alike and (text := items_text(trial, trials[0])):
                st.caption(formatting.markdown(text))


def pair_of(trials: Sequence[Trial]) -> Pair:
    """Return the reference and one of the others, with a choice between several."""
    letters = list(LETTERS[1 : len(trials)])
    texts = {
        letter: formatting.markdown(column(n, trials[n])) for n, letter in enumerate(letters, 1)
    }
    chosen = (
        address.segments("against", "Against the reference", letters, texts)
        if len(letters) > 1
        else letters[0]
    )
    trial, card = trials[LETTERS.index(chosen)], lab.card_of(trials[0].study)
    dataset = lab.available_datasets().get(card.dataset)
    return Pair(
        trials[0],
        trial,
        card,
        naming(
            card.task,
            card.class_names or (dataset.class_names if dataset else ()),
            LETTERS[0],
            chosen,
        ),
    )


def by_class(trials: Sequence[Trial], alike: bool) -> None:
    classes(pair_of(trials))


def by_item(trials: Sequence[Trial], alike: bool) -> None:
    flipped(pair_of(trials))


entry.require()
main()
