"""HTML of a study, a trial or a pick in a notebook, in the notebook's own style, with texts
escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lab import registry
from lab.analysis.front import baseline_of
from lab.plots import formatting, words
from lab.plots.table import numbers_info, problem_of, state_words
from lab.share.markup import Html, el
from lab.types import Study, Trial

if TYPE_CHECKING:
    import pandas as pd


def study_html(
    study: Study,
    counts: Mapping[str, int],
    front: pd.DataFrame,
    reason: str,
    pick: Trial | None,
) -> Html:
    """HTML of a study: its state, its pick and its front.

    Args:
        counts: state -> trials in it.
    """
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    best = (
        el("p", el("strong", f"Best pick: {words.trial_text(pick, ())}. "), reason)
        if pick
        else el("p", reason)
    )
    head = el(
        "p",
        el("strong", " · ".join(filter(None, [study.model, study.title]))),
        f" · study {study.id} · {study.state} ({states})",
    )
    return el("div", head, best, _frame(front) if len(front) else None)


def trial_html(trial: Trial, trials: Sequence[Trial]) -> Html:
    """HTML of a trial: its numbers beside the float model's, or its error."""
    head = el("p", el("strong", words.trial_text(trial)), f" · {trial.id} · {state_words(trial)}")
    problem = el("p", problem_of(trial)) if trial.error else None
    base = baseline_of(trial, trials)
    numbers = (
        numbers_info(trial, base, registry.metrics()).set_index("Metric")
        if trial.measurements
        else None
    )
    return el("div", head, problem, _frame(numbers) if numbers is not None else None)


def choice_html(trial: Trial | None, reason: str) -> Html:
    """HTML of a pick with its reason."""
    name = el("strong", f"{words.trial_text(trial)}. ") if trial else None
    return el("p", name, reason)


def progress_html(done: int, total: int, text: str) -> Html:
    """HTML of a progress bar with a text."""
    return el(
        "div",
        el("progress", value=done, max=max(total, 1), style="width: 16rem; vertical-align: middle"),
        f" {formatting.capital(text)}",
    )


def _frame(frame: pd.DataFrame) -> Html:
    """Pandas' own table, as Jupyter shows frames; it escapes what it writes."""
    return Html(
        frame.to_html(
            escape=True,
            na_rep=formatting.UNKNOWN,
            float_format=lambda number: formatting.digits(number),
        )
    )
