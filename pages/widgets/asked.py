"""What a viewer asks of a study, and the answers: cached by revision, so that a rerun that changes
nothing computes nothing.
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
class Only:
    """Which trials are looked at; the float baselines always are."""

    runtimes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.runtimes or self.methods or self.text)


@dataclass(frozen=True)
class Asked:
    """A study as it is, and what must hold.

    Attributes:
        goal: the metric that decides, KNEE or WEIGHTED; weights: of the latter, (metric, weight).
    """

    study: str
    revision: int
    only: Only = Only()
    limits: tuple[Limit, ...] = ()
    goal: str = ""
    weights: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Look:
    """How the trade-off is drawn: metrics across, up and third, and in which view; see `VIEWS`."""

    x: str
    y: str
    size: str
    view: str = "plot"
    color: str = "runtime"
    third: str = "area"


VIEWS = {"plot": "Plot", "solid": "3-D", "parallel": "Parallel", "multiples": "Side by side"}


def trials_of(study_id: str, revision: int) -> tuple[Trial, ...]:
    """The trials as they are now, which the store keeps; `revision` is that of the figures beside
    them.
    """
    return tuple(lab.trials(study_id))


@st.cache_resource(max_entries=32, show_spinner=False)
def methods_of(study_id: str, revision: int) -> Mapping[str, str]:
    """Trial id -> what was done to the model."""
    return {t.id: words.method(t) for t in trials_of(study_id, revision)}


@st.cache_resource(max_entries=32, show_spinner=False)
def shown_trials(study_id: str, revision: int, only: Only) -> tuple[Trial, ...]:
    everything, methods = trials_of(study_id, revision), methods_of(study_id, revision)
    if not only:
        return everything
    return tuple(t for t in everything if t.is_baseline or _wanted(t, only, methods[t.id]))


def _wanted(trial: Trial, only: Only, method: str) -> bool:
    fits = not only.runtimes or trial.target.runtime in only.runtimes
    fits = fits and (not only.methods or method in only.methods)
    return fits and only.text.lower() in trial.name.lower()


@st.cache_resource(max_entries=32, show_spinner=False)
def options_shown(study_id: str, revision: int) -> tuple[str, ...]:
    """The target options that are worth a word, since trials differ in them."""
    return formatting.varying_options(t.target for t in trials_of(study_id, revision))


@st.cache_resource(max_entries=32, show_spinner=False)
def has_results(study_id: str, revision: int) -> bool:
    return bool(comparable(trials_of(study_id, revision), lab.study(study_id).spec.objectives))


def objectives_of(asked: Asked) -> tuple[Objective, ...]:
    return lab.study(asked.study).spec.objectives


def seen(asked: Asked) -> tuple[Trial, ...]:
    return shown_trials(asked.study, asked.revision, asked.only)


@st.cache_resource(max_entries=64, show_spinner=False)
def pick_of(asked: Asked) -> Pick:
    objectives = objectives_of(asked)
    wanted = next((o for o in objectives if o.metric == asked.goal), None)
    weights = {KNEE: {o.metric: 1.0 for o in objectives}, WEIGHTED: dict(asked.weights)}.get(
        asked.goal
    )
    return pick(seen(asked), objectives, asked.limits, wanted, weights)


@st.cache_resource(max_entries=64, show_spinner=False)
def _ties(asked: Asked) -> Mapping[str, tuple[str, ...]]:
    feasible = set(pick_of(asked).feasible)
    return ties([t for t in seen(asked) if t.id in feasible], objectives_of(asked))


def ties_of(asked: Asked) -> Mapping[str, tuple[str, ...]]:
    return _ties(replace(asked, goal="", weights=()))  # whatever decides, the band is the same


@st.cache_resource(max_entries=64, show_spinner=False)
def figure_of(asked: Asked, look: Look, marked: frozenset[str]) -> tuple[str, int, int, int]:
    """The figure as JSON, its height, how many trials it shows and how many it leaves out.

    Args:
        marked: trials to draw boldly in the views that cannot put a ring around them.
    """
    found = pick_of(asked)
    lines = [(limit.metric, limit.value) for limit in asked.limits if limit.kind != "max_drop"]
    info = pareto_info(
        seen(asked),
        objectives_of(asked),
        lab.available_metrics(),
        x=look.x,
        y=look.y,
        size=look.size,
        feasible=found.feasible,
        pick=found.trial,
        limits=lines,
        tied=ties_of(asked),
        grouping="method" if look.color == "method" else "runtime",
        tinted=look.third == "color",
    )
    spec = drawn(info, look.view, marked, f"{asked.study} {look}")
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
def table_of(asked: Asked, rows: str, marked: frozenset[str]) -> TableInfo:
    """The trials as a table.

    Args:
        rows: which of them: see `pages.panels.results.table`.
    """
    found, tied = pick_of(asked), ties_of(asked)
    feasible = set(found.feasible)
    keep: Mapping[str, Callable[[Trial], bool]] = {
        "On the front": lambda t: t.id in found.front or t.id in tied,
        "Within the limits": lambda t: t.id in feasible,
        "Failed": lambda t: t.state == "failed",
        "Ticked": lambda t: t.id in marked,
    }
    chosen = [t for t in seen(asked) if keep.get(rows, lambda _: True)(t)]
    shown = options_shown(asked.study, asked.revision)
    return trials_info(chosen, lab.available_metrics(), set(found.front), shown, tied)
