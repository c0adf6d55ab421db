"""Sentences about results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from lab import registry
from lab.analysis.differences import Difference, differs
from lab.analysis.pick import TOLERANCE, Limit, Pick, Relaxation, quality_of
from lab.analysis.ties import NEGLIGIBLE
from lab.plots import formatting
from lab.types import Objective, Trial


def plain(metric: str) -> str:
    """Return the word for a metric in a sentence: "latency"."""
    plug = registry.metrics().get(metric)
    return (plug.noun if plug else "") or metric.replace("_", " ")


def superlative(objective: Objective) -> str:
    """Return the word for the best of a metric: "smallest", "fastest", "most accurate"."""
    plug = registry.metrics().get(objective.metric)
    extreme = "highest" if objective.direction == "maximize" else "lowest"
    return (plug.best if plug else "") or f"{extreme} {plain(objective.metric)}"


def trial_text(trial: Trial, shown: Sequence[str] | None = None) -> str:
    """Return a trial by recipe and target: "static_wi8_ai8 on LiteRT"."""
    return f"{trial.name} on {formatting.target_text(trial.target, shown)}"


def method(trial: Trial) -> str:
    """Return the techniques of a trial, without settings and tool: "Channel pruning + Static int8";
    "float" for conversions only.
    """
    return _method(tuple(s.technique for s in trial.recipe.steps)) or trial.name


@cache
def _method(techniques: tuple[str, ...]) -> str:
    """Return the titles of the techniques, or nothing if one is unknown."""
    techniques_here = registry.techniques()
    steps = [techniques_here.get(id_) for id_ in techniques]
    titles = [re.sub(r" \(.*?\)| by NNCF", "", t.title) for t in steps if t and not t.conversion]
    return (" + ".join(dict.fromkeys(titles)) or "float") if all(steps) else ""


def pick_reason(
    pick: Pick,
    trials: Mapping[str, Trial],
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
) -> str:
    """Explain the pick: the rule, its gains and costs against the float baseline, its ties."""
    if pick.trial is None:
        return _nothing_feasible(pick, trials)
    best, base = trials[pick.trial], trials.get(pick.baseline or "")
    parts = [
        _rule(pick, objectives, limits),
        against(best, base, objectives),
        _ties(pick, trials),
    ]
    text = "; ".join(part for part in parts if part)
    return text[0].upper() + text[1:] + "."


def _rule(pick: Pick, objectives: Sequence[Objective], limits: Sequence[Limit]) -> str:
    within = f"within {100 * TOLERANCE:.0f} point of the float baseline"
    if pick.rule == "highest_quality":
        quality = quality_of(objectives)
        group = "of those that meet all limits" if limits else "measured"
        return f"{superlative(quality) if quality else 'best'} {group}, since none stays {within}"
    if pick.rule in ("knee", "weighted"):
        how = "the best compromise" if pick.rule == "knee" else "the best by your weights"
        return f"{how} of {joined([plain(o.metric) for o in objectives])}" + (
            " that meets all limits" if limits else ""
        )
    close = f" {within}" if pick.rule == "best_within_tolerance" else ""
    return superlative(pick.goal) + close + (" that meets all limits" if limits else "")


def joined(names: Sequence[str]) -> str:
    """ "accuracy, size and latency"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def against(trial: Trial, base: Trial | None, objectives: Sequence[Objective]) -> str:
    """Return the objectives against the baseline: "3.9× smaller, 1.2× slower, same accuracy"."""
    if base is None:
        return ""
    if base.id == trial.id:
        return "it is the float baseline itself"
    measured = [
        o.metric
        for o in objectives
        if o.metric in trial.measurements and o.metric in base.measurements
    ]
    return ", ".join(difference(metric, trial, base) for metric in measured)


def difference(metric: str, trial: Trial, base: Trial) -> str:
    """Return one metric against the baseline, marked if the difference may be chance."""
    change = formatting.change(trial.measurements[metric], base.measurements[metric])
    if change == "no change":
        return f"same {plain(metric)}"
    return change if certain(metric, trial, base) else f"{change} (within the noise)"


def certain(
    metric: str, trial: Trial, base: Trial, differences: Mapping[str, Difference] | None = None
) -> bool:
    """Return True if a difference is more than chance: exact numbers differ, others by their pairs
    or intervals.

    Args:
        differences: differences from the same base, corrected for their number, by metric.
    """
    exact = trial.measurements[metric].low is None or base.measurements[metric].low is None
    if differences and metric in differences:
        return differences[metric].differs
    return exact or differs(metric, trial, base)


def _ties(pick: Pick, trials: Mapping[str, Trial]) -> str:
    if not pick.ties:
        return ""
    names = [trial_text(trials[id_], ()) for id_ in pick.ties]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    shown = f"{', '.join(names[:2])}{more}" if more else " and ".join(names)
    by_goal = pick.rule in ("best", "best_within_tolerance")
    exact = by_goal and trials[pick.trial or ""].measurements[pick.goal.metric].low is None
    why = f"less than {100 * NEGLIGIBLE:.0f} % apart" if exact else "the difference may be chance"
    return f"a tie with {shown}: {why}"


def _nothing_feasible(pick: Pick, trials: Mapping[str, Trial]) -> str:
    if not pick.considered:
        return "No trial has finished yet. The pick appears with the first results."
    if not pick.relaxations:
        return "No trial meets all limits. Loosen more than one of them."
    ways = " or ".join(_way(relaxation, trials) for relaxation in pick.relaxations)
    return f"No trial meets all limits. Loosen one: {ways}."


def _way(relaxation: Relaxation, trials: Mapping[str, Trial]) -> str:
    limit, trial = relaxation.limit, trials[relaxation.trial]
    name = trial_text(trial, ())
    if limit.kind == "max_drop":
        return (
            f"allow a drop of {100 * relaxation.value:.1f} points in {plain(limit.metric)} ({name})"
        )
    bound = formatting.value(relaxation.value, trial.measurements[limit.metric].unit)
    return f"{plain(limit.metric)} {limit.kind.replace('_', ' ')} {bound} ({name})"
