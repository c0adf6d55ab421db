"""Goal and limits, as sliders over the values of the study."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import streamlit as st

import lab
from lab.analysis.pick import Limit, LimitKind, quality_of, stops
from lab.plots import formatting, words
from lab.plots.table import ordered_metrics
from lab.types import Measurement, Objective, Trial
from pages.widgets import address
from pages.widgets.study_query import KNEE, WEIGHTED

DROPS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
Weights = tuple[tuple[str, float], ...]
WEIGHT_STOPS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)
GOAL_HELP = (
    "A single goal picks its best variant; for size and latency, only variants at most one point"
    " less accurate than float count. Balanced picks the best compromise between all goals, the"
    " knee of the front. Weighted: you say how much each goal counts."
)
IN_SIGHT = 3  # sliders beside the goal; a popover holds the others
WEIGHTS_HELP = (
    "Picks the lowest weighted mean of the objectives, each scaled from its best value on the"
    " front (0) to its worst (1); sizes and times on a logarithmic scale."
)
LABELS: dict[LimitKind, str] = {
    "max_drop": "Maximum {} loss",
    "at_most": "Maximum {}",
    "at_least": "Minimum {}",
}


def goal_and_limits(
    trials: Sequence[Trial], objectives: Sequence[Objective], of: str
) -> tuple[str, Weights, tuple[Limit, ...]]:
    """Draw a row of controls; return the goal (a metric, KNEE or WEIGHTED), the weights of the
    latter, and the limits.

    Args:
        of: names the trials, so that they are looked through once.
    """
    columns = st.columns([7, *[3] * IN_SIGHT, 2], vertical_alignment="bottom", gap="medium")
    with columns[0]:
        goal = goal_control(objectives)
        weights = weights_control(objectives) if goal == WEIGHTED else ()
    possible = possible_limits(of, trials, objectives)
    limits = []
    for column, (metric, kind) in zip(columns[1:-1], possible, strict=False):
        with column:
            limits.append(slider(trials, metric, kind, of))
    with (
        columns[-1],
        st.popover("More", icon=":material/filter_alt:", width="stretch", help="More limits"),
    ):
        limits += [slider(trials, metric, kind, of) for metric, kind in possible[IN_SIGHT:]]
    return goal, weights, tuple(limit for limit in limits if limit)


def goal_control(objectives: Sequence[Objective]) -> str:
    quality = quality_of(objectives)
    goals = sorted(objectives, key=lambda o: o == quality)
    texts = {o.metric: formatting.capital(words.plain(o.metric)) for o in goals}
    texts |= {KNEE: "Balanced", WEIGHTED: "Weighted"}
    return address.segments(
        "goal",
        "Optimise for",
        [*(o.metric for o in goals), KNEE, WEIGHTED],
        texts,
        help=GOAL_HELP,
    )


def weights_control(objectives: Sequence[Objective]) -> Weights:
    """Draw a slider for the weight of each objective."""
    with st.popover("Weights", icon=":material/balance:"):
        st.caption(WEIGHTS_HELP)
        return tuple(
            (
                o.metric,
                address.scale(
                    f"weight_{o.metric}",
                    formatting.capital(words.plain(o.metric)),
                    WEIGHT_STOPS,
                    1.0,
                ),
            )
            for o in objectives
        )


@st.cache_resource(max_entries=64, show_spinner=False)
def possible_limits(
    of: str, _trials: Sequence[Trial], objectives: Sequence[Objective]
) -> list[tuple[str, LimitKind]]:
    """Return the limits of the objectives, then those of all other measured metrics to minimize."""
    quality, metrics = quality_of(objectives), lab.available_metrics()
    small = [o.metric for o in objectives if o.direction == "minimize"]
    small += [
        m
        for m in ordered_metrics(_trials, metrics)
        if m in metrics and metrics[m].direction == "minimize"
    ]
    limits: list[tuple[str, LimitKind]] = [(metric, "at_most") for metric in dict.fromkeys(small)]
    return (
        [(quality.metric, "max_drop"), *limits, (quality.metric, "at_least")] if quality else limits
    )


def slider(trials: Sequence[Trial], metric: str, kind: LimitKind, of: str) -> Limit | None:
    values, like = stops_of(of, metric, kind, trials)
    if like is None or len(values) < 2:
        return None
    none = -inf if kind == "at_least" else inf
    options, name = sorted([*values, none]), f"{metric}_{kind}"
    texts = {v: stop_text(v, kind, like) for v in values}
    in_address = address.number(name, none)
    start = none if in_address == none else min(values, key=lambda v: abs(v - in_address))
    key = (  # other stops make another slider
        f"limit_{name}_{len(options)}_{values[0]:.6g}_{values[-1]:.6g}"
    )
    chosen = st.select_slider(
        LABELS[kind].format(words.plain(metric)),
        options,
        start,
        format_func=lambda v: texts.get(v, "any"),
        key=key,
        on_change=address.remember,
        args=(name, key, none),
    )
    return None if chosen == none else Limit(metric, kind, float(chosen))


@st.cache_resource(max_entries=512, show_spinner=False)
def stops_of(
    of: str, metric: str, kind: LimitKind, _trials: Sequence[Trial]
) -> tuple[list[float], Measurement | None]:
    """Return the stops of a slider and one of its measurements."""
    measurements = [
        t.measurements[metric]
        for t in _trials
        if t.state == "complete" and metric in t.measurements
    ]
    values = list(DROPS) if kind == "max_drop" else stops(m.value for m in measurements)
    return values, next(iter(measurements), None)


def stop_text(value: float, kind: LimitKind, like: Measurement) -> str:
    return f"{100 * value:.1f} points" if kind == "max_drop" else formatting.value(value, like.unit)
