"""Figures of a report: Plotly's JSON with a title, an alternative text and a note."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from lab.analysis.calibration import calibrations
from lab.analysis.pick import quality_of
from lab.analysis.pruning import KIND, lesson
from lab.analysis.training import of_trials
from lab.plots import formatting, words
from lab.plots.calibration import calibration_figure, calibration_info
from lab.plots.pareto.figure import pareto_info, pareto_spec
from lab.plots.pruning.figure import pruning_figure
from lab.plots.pruning.info import pruning_info
from lab.plots.training import training_figure, training_info
from lab.share.report.values import Report

MOST_CALIBRATIONS = 3


@dataclass(frozen=True)
class Figure:
    """A figure in the light theme, as JSON values; the page turns it dark where the reader's
    browser is.
    """

    title: str
    alt: str
    note: str
    spec: Mapping[str, Any]


def figures(report: Report) -> list[Figure]:
    """Figures of the trade-offs, and of pruning, calibration and training where there are any."""
    return [*_trade_offs(report), *_pruning(report), *_calibrations(report), *_trainings(report)]


def _trade_offs(report: Report) -> Iterator[Figure]:
    for x, y, size in _axes(report):
        info = pareto_info(
            report.trials,
            report.study.spec.objectives,
            report.metrics,
            x=x,
            y=y,
            size=size,
            pick=report.pick.trial,
            tied=report.tied,
        )
        if info.points:
            yield Figure(
                f"{formatting.capital(words.plain(y))} over {words.plain(x)}",
                f"{info.y.title} against {info.x.title} of"
                f" {formatting.plural(len(info.points), 'trial')}; the tables have the same"
                " numbers.",
                (f"Marker area: {info.size.title.lower()}. " if info.size else "")
                + (
                    "Bars and band: 95 % intervals. Faded: another variant is better in every"
                    " respect."
                ),
                pareto_spec(info),
            )


def _axes(report: Report) -> list[tuple[str, str, str | None]]:
    """(x, y, marker area): what compression costs over each of the other objectives, and the first
    two of these.
    """
    objectives = report.study.spec.objectives
    quality = quality_of(objectives) or objectives[0]
    rest = [o.metric for o in objectives if o != quality]
    rest = sorted(rest, key=lambda id_: id_ != "latency_s")
    pairs = [(x, quality.metric, next((m for m in rest if m != x), None)) for x in rest]
    return [*pairs, (rest[0], rest[1], None)] if len(rest) > 1 else list(pairs)


def _pruning(report: Report) -> Iterator[Figure]:
    about = report.study.spec.about
    if about.get("kind") != KIND:
        return
    named = [
        replace(t, name=escape(t.name)) for t in report.trials
    ]  # Plotly reads some tags in texts
    info = pruning_info(lesson(about, named, report.study.spec.objectives[0].metric))
    if info.curves:
        yield Figure(
            f"{info.noun} over the share of weights that is gone",
            f"{info.noun} of whole channels and of single weights pruned, with and without"
            " fine-tuning.",
            "Dashed: without fine-tuning. Grey band: the float model's 95 % interval.",
            _json(pruning_figure(info)),
        )


def _calibrations(report: Report) -> Iterator[Figure]:
    metric = report.study.spec.objectives[0].metric
    noun = formatting.capital(words.plain(metric))
    for calibration in calibrations(list(report.trials), metric)[:MOST_CALIBRATIONS]:
        first = report.by_id[calibration.points[0].trial]
        base = report.base(first)
        info = calibration_info(calibration, base.measurements.get(metric) if base else None, noun)
        yield Figure(
            f"What calibration changes: {words.trial_text(first, ())}",
            f"{noun} by number and source of the calibration items.",
            "One dot a seed, with its 95 % interval.",
            _json(calibration_figure(info)),
        )


def _trainings(report: Report) -> Iterator[Figure]:
    named = [replace(t, name=escape(t.name)) for t in of_trials(report.trials)]
    info = training_info(named)
    if info.lines:
        left_out = f" {info.left_out} earlier trainings are not shown." if info.left_out else ""
        yield Figure(
            "Training curves",
            f"Loss and accuracy over steps of {formatting.plural(len(info.lines), 'training')}.",
            f"Thick: on held-out items. Thin: on training items.{left_out}",
            _json(training_figure(info, "report")),
        )


def _json(figure: Any) -> dict[str, Any]:
    return dict(json.loads(figure.to_json()))
