"""View of a study (filter, limits, goal) and its results, cached by revision, so that a rerun
without changes computes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

import lab
from lab.analysis.front import comparable
from lab.analysis.pick import Limit, Pick, pick
from lab.analysis.ties import ties
from lab.plots import formatting, words
from lab.plots.pareto.figure import HEIGHT, pareto_info, pareto_spec
from lab.plots.pareto.info import ParetoInfo
from lab.plots.pareto.multiples import multiples_spec
from lab.plots.pareto.parallel import parallel_spec
from lab.plots.pareto.solid import solid_spec
from lab.plots.table import TableInfo, trials_info
from lab.types import Objective, Trial

KNEE, WEIGHTED = "knee", "weights"


@dataclass(frozen=True)
class TrialFilter:
    """Filter of trials; float baselines always pass."""

    runtimes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.runtimes or self.methods or self.text)


@dataclass(frozen=True)
class StudyQuery:
    """A study at a revision, with the filter, the limits and the goal of a view.

    Attributes:
        goal: the metric that decides, KNEE or WEIGHTED; weights: of the latter, (metric, weight).
    """

    study: str
    revision: int
    filter: TrialFilter = TrialFilter()
    limits: tuple[Limit, ...] = ()
    goal: str = ""
    weights: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Look:
    """Drawing of the trade-off: metrics of the axes and of the third dimension, and a view of
    `VIEWS`.
    """

    x: str
    y: str
    size: str
    view: str = "plot"
    color: str = "runtime"
    third: str = "area"


VIEWS = {"plot": "Plot", "solid": "3-D", "parallel": "Parallel", "multiples": "Side by side"}


def trials_of(study_id: str, revision: int) -> tuple[Trial, ...]:
    """Return the current trials, which the store caches; `revision` is that of the figures beside
    them.
    """
    return tuple(lab.trials(study_id))


@st.cache_resource(max_entries=32, show_spinner=False)
def methods_of(study_id: str, revision: int) -> Mapping[str, str]:
    """Return trial id -> techniques of the trial."""
    return {t.id: words.method(t) for t in trials_of(study_id, revision)}


@st.cache_resource(max_entries=32, show_spinner=False)
def shown_trials(study_id: str, revision: int, only: TrialFilter) -> tuple[Trial, ...]:
    everything, methods = trials_of(study_id, revision), methods_of(study_id, revision)
    if not only:
        return everything
    return tuple(t for t in everything if t.is_baseline or _wanted(t, only, methods[t.id]))


def _wanted(trial: Trial, only: TrialFilter, method: str) -> bool:
    fits = not only.runtimes or trial.target.runtime in only.runtimes
    fits = fits and (not only.methods or method in only.methods)
    return fits and only.text.lower() in trial.name.lower()


@st.cache_resource(max_entries=32, show_spinner=False)
def options_shown(study_id: str, revision: int) -> tuple[str, ...]:
    """Return the target options that differ between trials."""
    return formatting.varying_options(t.target for t in trials_of(study_id, revision))


@st.cache_resource(max_entries=32, show_spinner=False)
def has_results(study_id: str, revision: int) -> bool:
    return bool(comparable(trials_of(study_id, revision), lab.study(study_id).spec.objectives))


def objectives_of(query: StudyQuery) -> tuple[Objective, ...]:
    return lab.study(query.study).spec.objectives


def seen(query: StudyQuery) -> tuple[Trial, ...]:
    return shown_trials(query.study, query.revision, query.filter)


@st.cache_resource(max_entries=64, show_spinner=False)
def pick_of(query: StudyQuery) -> Pick:
    objectives = objectives_of(query)
    wanted = next((o for o in objectives if o.metric == query.goal), None)
    weights = {KNEE: {o.metric: 1.0 for o in objectives}, WEIGHTED: dict(query.weights)}.get(
        query.goal
    )
    return pick(seen(query), objectives, query.limits, wanted, weights)


@st.cache_resource(max_entries=64, show_spinner=False)
def _ties(query: StudyQuery) -> Mapping[str, tuple[str, ...]]:
    feasible = set(pick_of(query).feasible)
    return ties([t for t in seen(query) if t.id in feasible], objectives_of(query))


def ties_of(query: StudyQuery) -> Mapping[str, tuple[str, ...]]:
    return _ties(replace(query, goal="", weights=()))  # whatever decides, the band is the same


@st.cache_resource(max_entries=64, show_spinner=False)
def figure_of(query: StudyQuery, look: Look, marked: frozenset[str]) -> tuple[str, int, int, int]:
    """Return the figure as JSON, its height, the number of trials in it and the number left
    out.

    Args:
        marked: trials to draw boldly in the views that cannot put a ring around them.
    """
    best = pick_of(query)
    lines = [(limit.metric, limit.value) for limit in query.limits if limit.kind != "max_drop"]
    info = pareto_info(
        seen(query),
        objectives_of(query),
        lab.available_metrics(),
        x=look.x,
        y=look.y,
        size=look.size,
        feasible=best.feasible,
        pick=best.trial,
        limits=lines,
        tied=ties_of(query),
        grouping="method" if look.color == "method" else "runtime",
        tinted=look.third == "color",
    )
    spec = drawn(info, look.view, marked, f"{query.study} {look}")
    return (
        json.dumps(spec),
        int(spec["layout"].get("height", HEIGHT)),
        len(info.points),
        info.left_out,
    )


def drawn(info: ParetoInfo, view: str, marked: frozenset[str], revision: str) -> dict:
    if view == "parallel":
        return parallel_spec(info, marked=marked, uirevision=revision)
    if (
        view == "solid" and info.size is None
    ):  # without a third number there are only two dimensions
        info = replace(info, size=info.x)
    draw = {"solid": solid_spec, "multiples": multiples_spec}.get(view, pareto_spec)
    return draw(info, uirevision=revision)


@st.cache_resource(max_entries=64, show_spinner=False)
def table_of(query: StudyQuery, rows: str, marked: frozenset[str]) -> TableInfo:
    """Return the trials as a table.

    Args:
        rows: the selection of rows, see `pages.panels.results.table`.
    """
    best, tied = pick_of(query), ties_of(query)
    feasible = set(best.feasible)
    keep: Mapping[str, Callable[[Trial], bool]] = {
        "On the front": lambda t: t.id in best.front or t.id in tied,
        "Within the limits": lambda t: t.id in feasible,
        "Failed": lambda t: t.state == "failed",
        "Ticked": lambda t: t.id in marked,
    }
    chosen = [t for t in seen(query) if keep.get(rows, lambda _: True)(t)]
    shown = options_shown(query.study, query.revision)
    return trials_info(chosen, lab.available_metrics(), set(best.front), shown, tied)
