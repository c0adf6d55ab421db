"""Plot of several studies, with one front if their numbers are comparable, otherwise with one front
per group.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.analysis.across import Across
from lab.analysis.front import non_dominated
from lab.plots import formatting, theme
from lab.plots.across_words import Coloring, Named, group_texts
from lab.plots.pareto.figure import axis_layout
from lab.plots.pareto.info import Axis
from lab.plots.table import TableInfo, trials_info
from lab.plugs import Metric
from lab.types import Measurement, Trial

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 460
WEBGL_FROM = 400
SPREAD = 30.0
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class AcrossPoint:
    """A trial in the plot; numbers in SI units."""

    trial: str
    name: str
    study: str
    target: str
    runtime: str
    color: str
    group: int
    on_front: bool
    excluded: bool
    is_baseline: bool
    x: Measurement
    y: Measurement


@dataclass(frozen=True)
class AcrossInfo:
    """Values of the plot of several studies.

    Attributes:
        lines: for each group the (x, y) that nothing of it beats in the two axes shown, by rising
            x.
        groups: name of each group, "" where there is only one.
        left_out: trials without one of the two numbers.
    """

    x: Axis
    y: Axis
    points: tuple[AcrossPoint, ...]
    lines: tuple[tuple[tuple[float, float], ...], ...]
    groups: tuple[str, ...]
    left_out: int = 0


def across_info(
    comparison: Across,
    metrics: Mapping[str, Metric],
    named: Named,
    *,
    x: str = "latency_s",
    y: str = "top1_accuracy",
    coloring: Coloring = "study",
    feasible: Collection[str] | None = None,
) -> AcrossInfo:
    """Lay out several studies.

    Args:
        x, y: ids of the metrics shown; a group's own objectives say what its front is, whichever
            two are drawn.
        feasible: ids that meet the limits; None means all.
    """
    shown, front = formatting.varying_options(t.target for t in comparison.trials), comparison.front
    points = [
        _point(t, number, front, x, y, coloring, named, shown, feasible)
        for number, group in enumerate(comparison.groups)
        for t in group.trials
        if x in t.measurements and y in t.measurements
    ]
    x_axis, y_axis = (
        axis_of(x, [p.x for p in points], metrics),
        axis_of(y, [p.y for p in points], metrics),
    )
    lines = tuple(
        _line([p for p in points if p.group == n and not p.excluded], x_axis, y_axis)
        for n in range(len(comparison.groups))
    )
    names = (
        tuple(group_texts(comparison, named, metrics))
        if len(comparison.groups) > 1
        else ("",) * len(comparison.groups)
    )
    return AcrossInfo(
        x_axis, y_axis, tuple(points), lines, names, len(comparison.trials) - len(points)
    )


def _point(
    t: Trial,
    group: int,
    front: Collection[str],
    x: str,
    y: str,
    coloring: Coloring,
    named: Named,
    shown: Sequence[str],
    feasible: Collection[str] | None,
) -> AcrossPoint:
    runtime = formatting.runtime_title(t.target.runtime)
    excluded = feasible is not None and t.id not in feasible
    return AcrossPoint(
        t.id,
        t.name,
        named.studies.get(t.study, t.study),
        formatting.target_text(t.target, shown),
        runtime,
        named.of(t, coloring),
        group,
        t.id in front and not excluded,
        excluded,
        t.is_baseline,
        t.measurements[x],
        t.measurements[y],
    )


def axis_of(metric: str, values: Sequence[Measurement], metrics: Mapping[str, Metric]) -> Axis:
    """Return the axis of a metric; its unit suits the middle of the values."""
    plug = metrics.get(metric)
    unit = values[0].unit if values else (plug.unit if plug else "")
    divisor, suffix = formatting.axis_scale(unit, [m.value for m in values])
    log = formatting.kind_of(unit) in (formatting.SECONDS, formatting.BYTES) and all(
        m.value > 0 for m in values
    )
    title, direction = (plug.title, plug.direction) if plug else (metric, "minimize")
    return Axis(metric, title, unit, direction, divisor, suffix, log, log)


def _line(points: Sequence[AcrossPoint], x: Axis, y: Axis) -> tuple[tuple[float, float], ...]:
    pairs = np.array([[p.x.value, p.y.value] for p in points]).reshape(-1, 2)
    best = pairs[non_dominated(pairs, [x.direction, y.direction])]
    return tuple((float(a), float(b)) for a, b in np.unique(best, axis=0))


# --- drawing --------------------------------------------------------------------------------------


def across_spec(
    info: AcrossInfo, mode: theme.Mode = "light", uirevision: str = ""
) -> dict[str, Any]:
    """Return the figure as plain JSON values: colour by the chosen grouping, shape by runtime, a
    step line per group; each point's customdata begins with its trial's id.
    """
    ink = theme.INKS[mode]
    colors = {
        name: style.color
        for name, style in theme.styles({p.color for p in info.points}, mode).items()
    }
    shapes = {
        name: style.symbol
        for name, style in theme.styles({p.runtime for p in info.points}, mode).items()
    }
    traces = [_line_trace(info, n, mode) for n, line in enumerate(info.lines) if len(line) > 1]
    traces += [_legend(name, color, "circle", "color") for name, color in colors.items()]
    traces += (
        [_legend(name, ink.muted, symbol, "shape") for name, symbol in shapes.items()]
        if len(shapes) > 1
        else []
    )
    for front in (False, True):
        for name, color in colors.items():
            if mine := [p for p in info.points if p.color == name and p.on_front == front]:
                traces.append(_points(info, mine, color, shapes, ink))
    return {
        "data": traces,
        "layout": {
            "template": theme.template(mode).to_plotly_json(),
            "height": HEIGHT,
            "hovermode": "closest",
            "clickmode": "event",
            "xaxis": axis_layout(info.x, [p.x.value for p in info.points]),
            "yaxis": axis_layout(info.y, [p.y.value for p in info.points]),
            "uirevision": f"{uirevision} {info.x.label} {info.y.label}",
        },
    }


def _line_trace(info: AcrossInfo, number: int, mode: theme.Mode) -> dict[str, Any]:
    name = f"front: {escape(info.groups[number])}" if info.groups[number] else "joint front"
    line = {
        "shape": "hv" if info.x.direction == "minimize" else "vh",
        "width": 1.5,
        "color": theme.INKS[mode].muted,
        "dash": DASHES[number % len(DASHES)],
    }
    return {
        "type": _kind(info),
        "mode": "lines",
        "name": name,
        "line": line,
        "hoverinfo": "skip",
        "x": [x / info.x.divisor for x, _ in info.lines[number]],
        "y": [y / info.y.divisor for _, y in info.lines[number]],
    }


def _kind(info: AcrossInfo) -> str:
    """Return the kind of all traces: WebGL traces would cover SVG ones."""
    return "scattergl" if len(info.points) >= WEBGL_FROM else "scatter"


def _legend(name: str, color: str, symbol: str, group: str) -> dict[str, Any]:
    marker = {"color": color, "symbol": symbol, "size": 11}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": marker,
        "name": escape(name),
        "legendgroup": f"{group} {escape(name)}",
    }


def _points(
    info: AcrossInfo,
    points: Sequence[AcrossPoint],
    color: str,
    shapes: Mapping[str, str],
    ink: theme.Ink,
) -> dict[str, Any]:
    return {
        "type": _kind(info),
        "mode": "markers",
        "showlegend": False,
        "name": escape(points[0].color),
        "legendgroup": f"color {escape(points[0].color)}",
        "x": [p.x.value / info.x.divisor for p in points],
        "y": [p.y.value / info.y.divisor for p in points],
        "marker": {
            "color": [ink.ground if p.is_baseline else color for p in points],
            "symbol": [shapes[p.runtime] for p in points],
            "size": [13 if p.on_front else 9 for p in points],
            "opacity": [
                0.1 if p.excluded else 0.95 if p.on_front or p.is_baseline else 0.35 for p in points
            ],
            "line": {
                "color": color if any(p.is_baseline for p in points) else ink.ground,
                "width": [2.5 if p.is_baseline else 0 for p in points],
            },
        },
        "customdata": [[p.trial] for p in points],
        "hovertext": [_hover(info, p) for p in points],
        "hoverinfo": "text",
    }


def _hover(info: AcrossInfo, p: AcrossPoint) -> str:
    role = (
        "on the front of its group"
        if p.on_front
        else "outside the limits"
        if p.excluded
        else "another variant is better in every respect"
    )
    group = f" ({escape(info.groups[p.group])})" if info.groups[p.group] else ""
    return "<br>".join(
        [
            f"<b>{escape(p.name)}</b> on {escape(p.target)}",
            escape(p.study),
            f"{info.x.title}: {formatting.measurement(p.x)}",
            f"{info.y.title}: {formatting.measurement(p.y)}",
            role + group,
        ]
    )


def across_table(
    comparison: Across,
    metrics: Mapping[str, Metric],
    named: Named,
    feasible: Collection[str] | None = None,
) -> TableInfo:
    """Return the trials on a front, those of the largest group first, each with its study and, with
    several groups, its front.
    """
    texts = group_texts(comparison, named, metrics)
    rows = [
        (n, t)
        for n, g in enumerate(comparison.groups)
        for t in g.trials
        if t.id in g.front and (feasible is None or t.id in feasible)
    ]
    shown = formatting.varying_options(t.target for t in comparison.trials)
    info = trials_info([t for _, t in rows], metrics, comparison.front, shown)
    frame: pd.DataFrame = info.frame.drop(columns=["State", "Front"])
    frame.insert(2, "Study", [named.studies.get(t.study, t.study) for _, t in rows])
    if len(comparison.groups) > 1:
        frame.insert(3, "Front of", [texts[n] for n, _ in rows])
    printf = {name: _format(frame[name], usual) for name, usual in info.formats.items()}
    return replace(
        info,
        frame=frame,
        formats=printf,
        helps={k: v for k, v in info.helps.items() if k != "Front"},
    )


def _format(values: pd.Series, usual: str) -> str:
    """Return a format of three significant digits for a column whose values differ widely between
    models.
    """
    numbers = values.dropna()
    return (
        "%.3g"
        if len(numbers) and numbers.min() > 0 and numbers.max() > SPREAD * numbers.min()
        else usual
    )


def across_json(comparison: Across) -> dict[str, Any]:
    """Return groups with their terms, trials and fronts as JSON values."""
    return {
        "studies": [m.study.id for m in comparison.members],
        "apart": list(comparison.apart),
        "incomplete": comparison.incomplete,
        "groups": [
            {
                "terms": asdict(g.terms),
                "front": list(g.front),
                "trials": [{"study": t.study, **t.to_json()} for t in g.trials],
            }
            for g in comparison.groups
        ],
    }
