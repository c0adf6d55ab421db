"""Sections of a report with its results: the pick, the front, all trials, failed trials."""

from __future__ import annotations

from collections.abc import Sequence

from lab.plots import formatting, words
from lab.plots.table import ordered_metrics, problem_of, state_words, versus
from lab.share.markup import Html, el, joined
from lab.share.report.elements import cell, link, mark, metric_title, note, number, section, table
from lab.share.report.values import Report
from lab.types import Trial


def header(report: Report) -> Html:
    """The head of the page: model, study, date, and how many trials were measured."""
    study, done = report.study, sum(t.state == "complete" for t in report.trials)
    facts = [
        study.title,
        f"{study.spec.preset} sweep" if study.spec.preset else "",
        formatting.moment(study.created_at),
        f"{done} of {formatting.plural(len(report.trials), 'trial')} measured",
        "" if study.state == "complete" else study.state,
    ]
    return el(
        "header",
        el("p", "Compression lab report", class_="kicker"),
        el("h1", report.card.title),
        el("p", " · ".join(filter(None, facts)), class_="muted"),
        note(report, ""),
    )


def best(report: Report) -> Html:
    """The pick under no limits, its reason, and the trials that tie with it."""
    objectives, by_id = report.study.spec.objectives, report.by_id
    reason = words.pick_reason(report.pick, by_id, objectives, ())
    trial = by_id.get(report.pick.trial or "")
    if trial is None:
        return section("pick", "The pick", el("p", reason))
    others = [
        joined([", " if n else "", link(report, by_id[id_])])
        for n, id_ in enumerate(report.pick.ties)
    ]
    tied = el("p", "Tied with: ", others, class_="muted")
    return section(
        "pick",
        "The pick, under no limits",
        el(
            "div",
            el("p", el("strong", report.name(trial))),
            el("p", reason),
            tiles(report, trial),
            tied if others else None,
            class_="pick",
        ),
    )


def tiles(report: Report, trial: Trial) -> Html:
    """The objectives as large numbers, each against the float model."""
    return el(
        "dl",
        [
            _tile(report, trial, o.metric)
            for o in report.study.spec.objectives
            if o.metric in trial.measurements
        ],
        class_="tiles",
    )


def _tile(report: Report, trial: Trial, metric: str) -> Html:
    m = trial.measurements[metric]
    return el(
        "div",
        el("dt", formatting.capital(words.plain(metric))),
        el("dd", formatting.value(m.value, m.unit), class_="number"),
        el("dd", formatting.interval(m) or "exact", class_="muted"),
        el("dd", _versus(report, trial, metric), class_="muted"),
    )


def _versus(report: Report, trial: Trial, metric: str) -> str:
    base = report.base(trial)
    if base is None or metric not in base.measurements:
        return ""
    change = versus(metric, trial, base, report.differences.get(trial.id))
    return (
        "as float"
        if change == "no change"
        else f"{change} than float".replace(" (a tie) than float", " than float (may be chance)")
    )


def front_table(report: Report) -> Html:
    """The front, and the trials that tie with it."""
    if not report.front:
        return section(
            "front", "The front", el("p", "No trial has all of the study's numbers yet.")
        )
    metrics = [o.metric for o in report.study.spec.objectives]
    head = [
        "Trial",
        "",
        *(metric_title(report, m) for m in metrics),
        *(f"{formatting.capital(words.plain(m))} against float" for m in metrics),
    ]
    tied = [report.by_id[id_] for id_ in report.tied if id_ in report.by_id]
    rows = [_front_row(report, t, metrics) for t in [*report.front, *tied]]
    text = (
        "★: no other trial is at least as good in every objective and better in one. ≈: a tie with"
        " such a trial, by all that can be told. Below a number: its 95 % interval."
    )
    return section(
        "front",
        "The front",
        el("p", text, class_="muted"),
        table("Trials on the front, and those in its tie band", head, rows),
    )


def _front_row(report: Report, trial: Trial, metrics: Sequence[str]) -> Html:
    return el(
        "tr",
        el("th", link(report, trial), scope="row"),
        cell(mark(report, trial)),
        [number(trial.measurements.get(m)) for m in metrics],
        [cell(_versus(report, trial, m)) for m in metrics],
    )


def all_trials(report: Report) -> Html:
    """Every trial with every number."""
    ids = ordered_metrics(report.trials, report.metrics)
    head = [
        "Trial",
        "Runs on",
        "State",
        "Front",
        *(metric_title(report, id_) for id_ in ids),
        "SHA-256 of the file",
    ]
    helps = {
        metric_title(report, id_): report.metrics[id_].help for id_ in ids if id_ in report.metrics
    }
    rows = [_row(report, t, ids) for t in report.trials]
    return section(
        "trials",
        f"All trials ({len(rows)})",
        table("All trials with their numbers and 95 % intervals", head, rows, helps),
    )


def _row(report: Report, trial: Trial, ids: Sequence[str]) -> Html:
    sha = trial.artifact.sha256 if trial.artifact else ""
    return el(
        "tr",
        el("th", trial.name, note(report, trial.id), scope="row"),
        cell(report.target(trial)),
        cell(state_words(trial)),
        cell(mark(report, trial)),
        [number(trial.measurements.get(id_)) for id_ in ids],
        el("td", el("code", sha[:16]), title=sha or None),
        id=f"row-{trial.id}",
    )


def failed(report: Report) -> Html | None:
    """Failed trials, each with its reason and remedy."""
    rows = [_failed_row(report, t) for t in report.trials if t.state == "failed"]
    if not rows:
        return None
    return section(
        "failed",
        f"Failed trials ({len(rows)})",
        table("Trials that failed, and why", ["Trial", "Reason", "What to do"], rows),
    )


def _failed_row(report: Report, trial: Trial) -> Html:
    remedy = str((trial.error or {}).get("remedy") or "")
    return el(
        "tr",
        el("th", report.name(trial), scope="row"),
        cell(problem_of(trial) or "unknown"),
        cell(remedy),
    )
