"""Findings of a study beside its front: agreement of float models, threads without effect, effects
of calibration, order and seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import streamlit as st

import lab
from lab.analysis.calibration import Calibrations, calibrations
from lab.analysis.float_agreement import ENOUGH, Pair
from lab.analysis.front import nearest_baseline
from lab.analysis.orders import OrderPair
from lab.analysis.spread import Spread
from lab.plots import formatting, words
from lab.plots.calibration import (
    HEIGHT,
    calibration_figure,
    calibration_info,
    calibration_table,
    spread_words,
)
from lab.plots.differences import time_text
from lab.plots.orders import order_rows, order_text, spread_rows, spread_text
from lab.types import FINISHED, Study, Trial
from pages.panels.search import search
from pages.panels.threads import threads_of
from pages.panels.training import trainings
from pages.widgets import address
from pages.widgets.chart import chart


@st.cache_resource(max_entries=32, show_spinner=False)
def pairs_of(study_id: str, revision: int) -> tuple[Pair, ...]:
    return lab.float_agreement(study_id)


@st.cache_resource(max_entries=32, show_spinner=False)
def calibrations_of(study_id: str, revision: int, metric: str) -> tuple[Calibrations, ...]:
    return calibrations(lab.trials(study_id), metric)


@st.cache_resource(max_entries=32, show_spinner=False)
def orders_of(study_id: str, revision: int) -> tuple[OrderPair, ...]:
    return lab.orders(study_id)


@st.cache_resource(max_entries=32, show_spinner=False)
def spread_of(study_id: str, revision: int) -> tuple[Spread, ...]:
    return lab.spread(study_id)


def insights(study: Study, trials: Sequence[Trial], choose: Callable[[str], None]) -> None:
    """Show the findings that the study has."""
    if text := time_text(trials, lab.measuring_seconds(study.id)):
        st.caption(f":material/timer: {text}")
    if study.state in FINISHED:
        float_answers(study, trials)
        threads(study, trials)
    search(study)
    trainings(study, trials)
    order(study, trials)
    seeds(study)
    calibration(study, trials, choose)


def float_answers(study: Study, trials: Sequence[Trial]) -> None:
    pairs = pairs_of(study.id, study.revision)
    if not pairs:
        return
    by_id = {t.id: t for t in trials}
    unlike = [pair for pair in pairs if not pair.faithful]
    if not unlike:
        places = len({id_ for pair in pairs for id_ in (pair.first, pair.second)})
        everywhere = "Both runtimes" if places == 2 else f"All {places} runtime settings"
        st.caption(
            f":material/done_all: {everywhere} give the same float answers on at least"
            f" {100 * ENOUGH:.1f} % of the test set (lowest of any pair:"
            f" {100 * pairs[0].agreement.value:.2f} %)."
        )
        return
    named = [
        f"{place(by_id[id_], trials)} (lowest agreement with another runtime: {100 * low:.2f} %)"
        for id_, low in odd_ones(unlike).items()
    ]
    st.warning(
        "**The float model gives different answers on different runtimes.** It differs on"
        f" {'; '.join(named)}. Quantization is not the cause of differences of this size.",
        icon=":material/compare_arrows:",
    )


def odd_ones(unlike: Sequence[Pair]) -> dict[str, float]:
    """Return the fewest trials that occur in every unequal pair, each with its lowest agreement;
    the most frequent trial comes first.
    """
    odd_trials, left = dict[str, float](), list(unlike)
    while left:
        counts = Counter(id_ for pair in left for id_ in (pair.first, pair.second))
        odd = counts.most_common(1)[0][0]
        odd_trials[odd] = min(p.agreement.value for p in left if odd in (p.first, p.second))
        left = [p for p in left if odd not in (p.first, p.second)]
    return odd_trials


def place(trial: Trial, trials: Sequence[Trial]) -> str:
    shown = [
        name for name in formatting.varying_options(t.target for t in trials) if name != "threads"
    ]
    return formatting.markdown(formatting.target_text(trial.target, shown))


def threads(study: Study, trials: Sequence[Trial]) -> None:
    no_gains, several = (
        threads_of(study.id, study.revision),
        sum(int(t.target.options.get("threads", 1)) > 1 for t in trials),
    )
    if no_gains:
        st.caption(
            f":material/sync_disabled: More threads do not help {len(no_gains)} of {several} trials"
            " with more than one thread; their details say so."
        )


def calibration(study: Study, trials: Sequence[Trial], choose: Callable[[str], None]) -> None:
    metric = study.spec.objectives[0].metric
    calibrated = calibrations_of(study.id, study.revision, metric)
    if not calibrated:
        return
    with st.expander(
        f"Effect of calibration ({formatting.plural(len(calibrated), 'recipe')} calibrated in"
        " several ways)",
        icon=":material/tune:",
    ):
        titles = {str(i): words.trial_text(_first(c, trials), ()) for i, c in enumerate(calibrated)}
        chosen = calibrated[int(address.dropdown("calibration", "Recipe", list(titles), titles))]
        base = nearest_baseline(_first(chosen, trials), trials)
        info = calibration_info(
            chosen,
            base.measurements.get(metric) if base else None,
            formatting.capital(words.plain(metric)),
        )
        left, right = st.columns([3, 2], gap="medium")
        with left:
            chart(
                calibration_figure(info).to_json(),
                key=f"calibration_{study.id}_{chosen.name}",
                height=HEIGHT,
                on_choose=choose,
                alt=(
                    "Accuracy by number and source of calibration items; the table beside has the"
                    " same numbers."
                ),
            )
        with right:
            st.dataframe(
                calibration_table(chosen),
                hide_index=True,
                alt="All calibrations of this recipe",
            )
        if spread := spread_words(chosen.over_seeds()):
            st.caption(f"Spread over seeds: {spread}.")


def order(study: Study, trials: Sequence[Trial]) -> None:
    """Show the effect of the order of two steps."""
    pairs = orders_of(study.id, study.revision)
    if not pairs:
        return
    with st.expander(
        f"Effect of the order of steps ({formatting.plural(len(pairs), 'pair')})",
        icon=":material/swap_horiz:",
    ):
        st.markdown(formatting.markdown(order_text(pairs, study.spec.objectives[0].metric)))
        shown = formatting.varying_options(t.target for t in trials)
        st.dataframe(
            order_rows(pairs, shown),
            hide_index=True,
            alt="The same steps in two orders, number by number",
        )
        st.caption(
            "Both orders ran on the same test items and in alternating timing rounds; p-values are"
            " corrected for the number of pairs."
        )


def seeds(study: Study) -> None:
    """Show the effect of the training seed."""
    spreads = spread_of(study.id, study.revision)
    if not spreads:
        return
    with st.expander(
        f"Effect of the training seed ({formatting.plural(len(spreads), 'recipe')} trained several"
        " times)",
        icon=":material/casino:",
    ):
        if text := spread_text(spreads, study.spec.objectives[0].metric):
            st.markdown(formatting.markdown(text))
        st.dataframe(
            spread_rows(spreads),
            hide_index=True,
            placeholder="–",
            alt="Mean, lowest and highest over seeds",
        )
        st.caption(
            "Mean, with the lowest and highest value in brackets, of trials that differ only in"
            " the training seed."
        )


def _first(calibrated: Calibrations, trials: Sequence[Trial]) -> Trial:
    ids = {p.trial for p in calibrated.points}
    return next(t for t in trials if t.id in ids and t.name == calibrated.name)
