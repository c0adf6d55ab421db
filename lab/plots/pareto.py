"""The trade-off of a study: `pareto_info` computes, `pareto_figure` draws."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from lab.analysis.differences import against_float
from lab.analysis.front import comparable, front, non_dominated
from lab.plots import formats, theme, words
from lab.plugs import Metric
from lab.types import Measurement, Objective, Trial

WEBGL_FROM = 400
"""Points from which WebGL draws, in smaller and fainter markers: below it SVG is crisper and exports as vectors."""
HEIGHT = 430
SMALLEST, LARGEST = 8.0, 26.0
"""Marker diameters in pixels."""

Role = Literal["front", "tied", "dominated", "excluded"]


MARGIN_DECADES = 0.2
"""What a log axis shows beyond its points, both sides together, about."""


@dataclass(frozen=True)
class Axis:
    """What an axis or the marker size shows.

    Attributes:
        divisor: SI values are divided by it to become what the axis shows, in `suffix`.
        log: True for times and sizes: equal ratios lie equally far apart, and no outlier crowds the rest. It does not
            depend on the values, so that a study's zoom survives its next result.
    """

    metric: str
    title: str
    unit: str
    direction: Literal["maximize", "minimize"]
    divisor: float
    suffix: str
    log: bool = False

    @property
    def label(self) -> str:
        """Title, unit and better direction: "Latency in ms, log scale   ← faster"; the arrows turn with a y axis's title."""
        word = formats.better_word(self.metric, self.unit, self.direction)
        arrow = f"← {word}" if self.direction == "minimize" else f"{word} →"
        unit = f" in {self.suffix}" if self.suffix else ""
        return f"{self.title}{unit}{', log scale' if self.log else ''}   {arrow}"


@dataclass(frozen=True)
class Point:
    """A trial in the plot; numbers in SI units.

    Attributes:
        paired: metric -> how far below and above its value it may lie, compared with float on the same items.
    """

    trial: str
    name: str
    runtime: str
    target: str
    role: Role
    is_baseline: bool
    x: Measurement
    y: Measurement
    size: Measurement | None
    others: tuple[Measurement, ...] = ()
    paired: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class ParetoInfo:
    """All that the figure shows.

    Attributes:
        points: the comparable trials, in order.
        line: (x, y) of the trials that nothing beats in the two axes shown, by rising x.
        band: (x, y) corners of the area in which the front may lie in truth, by 95 % intervals in the two axes shown; for
            accuracy those of the difference from the float model on the same items.
        left_out: complete trials that were not compared: another environment, or not measured alike.
        pick: id of the trial to name, if any.
        limits: (metric, value) to draw as lines.
    """

    x: Axis
    y: Axis
    size: Axis | None
    points: tuple[Point, ...]
    line: tuple[tuple[float, float], ...]
    titles: Mapping[str, str]
    left_out: int = 0
    pick: str | None = None
    limits: tuple[tuple[str, float], ...] = ()
    band: tuple[tuple[float, float], ...] = ()


def pareto_info(
    trials: Sequence[Trial], objectives: Sequence[Objective], metrics: Mapping[str, Metric], *,
    x: str = "latency_s", y: str = "top1_accuracy", size: str | None = "size_bytes",
    titles: Mapping[str, str] | None = None, feasible: Collection[str] | None = None,
    pick: str | None = None, limits: Sequence[tuple[str, float]] = (), tied: Collection[str] = (),
) -> ParetoInfo:  # fmt: skip
    """Lay out a study's trade-off.

    Args:
        x, y, size: ids of the metrics shown; objectives say what the front is, whichever two are drawn.
        titles: runtime id -> name.
        feasible: ids that meet the limits; the others are drawn as excluded and take no part in the front.
        tied: ids in the front's tie band (`lab.analysis.ties`).
    """
    group = [t for t in comparable(trials, objectives) if x in t.measurements and y in t.measurements]
    allowed = [t for t in group if feasible is None or t.id in feasible]
    on_front = set(front(allowed, objectives))
    names = titles or {}
    shown = formats.varying_options(t.target for t in trials)
    roles: dict[str, Role] = {
        t.id: "front" if t.id in on_front else "tied" if t.id in tied else "dominated" for t in allowed
    }
    points = tuple(_point(t, roles.get(t.id, "excluded"), x, y, size, objectives, names, shown) for t in group)
    x_axis, y_axis = _axis(x, points, "x", metrics), _axis(y, points, "y", metrics)
    size_axis = _axis(size, points, "size", metrics) if size and any(p.size for p in points) else None
    complete = sum(t.state == "complete" for t in trials)
    return ParetoInfo(
        x_axis, y_axis, size_axis, points,
        _line(points, x_axis, y_axis), names, complete - len(group), pick if pick in roles else None,
        tuple(pair for pair in limits if pair[0] in (x, y)), _band(points, x_axis, y_axis),
    )  # fmt: skip


def _point(
    trial: Trial, role: Role, x: str, y: str, size: str | None, objectives: Sequence[Objective],
    titles: Mapping[str, str], shown: Sequence[str],
) -> Point:  # fmt: skip
    m = trial.measurements
    others = tuple(m[o.metric] for o in objectives if o.metric not in (x, y, size))
    runtime = titles.get(trial.target.runtime, trial.target.runtime)
    target = formats.target_text(trial.target, titles, shown)
    paired = {id_: spread for id_ in (x, y) if (spread := against_float(id_, trial))}
    return Point(
        trial.id, trial.name, runtime, target, role, trial.is_baseline, m[x], m[y], m.get(size or ""), others, paired
    )


def _axis(metric: str, points: Sequence[Point], role: str, metrics: Mapping[str, Metric]) -> Axis:
    plug, found = metrics.get(metric), [(p, m) for p in points if (m := getattr(p, role))]
    unit = found[0][1].unit if found else (plug.unit if plug else "")
    baseline = [m.value for p, m in found if p.is_baseline][:1]  # measured first: the unit stays as results come in
    divisor, suffix = formats.axis_scale(unit, baseline or [m.value for _, m in found])
    ratio = formats.kind_of(unit) in (formats.SECONDS, formats.BYTES) and all(m.value > 0 for _, m in found)
    title, direction = (plug.title, plug.direction) if plug else (metric, "minimize")
    return Axis(metric, title, unit, direction, divisor, suffix, ratio and role != "size")


def _line(points: Sequence[Point], x: Axis, y: Axis) -> tuple[tuple[float, float], ...]:
    allowed = [p for p in points if p.role != "excluded"]
    pairs = np.array([[p.x.value, p.y.value] for p in allowed]).reshape(-1, 2)
    best = pairs[non_dominated(pairs, [x.direction, y.direction])]
    return tuple((float(a), float(b)) for a, b in np.unique(best, axis=0))


def _band(points: Sequence[Point], x: Axis, y: Axis) -> tuple[tuple[float, float], ...]:
    """Corners of the area between the front of the intervals' good ends and the front of their bad ends."""
    allowed = [p for p in points if p.role != "excluded"]
    if not any(m.low is not None for p in allowed for m in (p.x, p.y)):
        return ()
    good = _steps([(_end(p, p.x, x, True), _end(p, p.y, y, True)) for p in allowed], x, y)
    bad = _steps([(_end(p, p.x, x, False), _end(p, p.y, y, False)) for p in allowed], x, y)
    return (*good, *reversed(bad))


def _end(point: Point, m: Measurement, axis: Axis, good: bool) -> float:
    below = (axis.direction == "minimize") == good
    if axis.metric in point.paired:
        less, more = point.paired[axis.metric]
        return m.value - less if below else m.value + more
    end = m.low if below else m.high
    return m.value if end is None else end


def _steps(pairs: Sequence[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """Corners of the step line through the pairs that nothing beats."""
    array = np.array(pairs).reshape(-1, 2)
    best = np.unique(array[non_dominated(array, [x.direction, y.direction])], axis=0).tolist()
    between = [(b[0], a[1]) if x.direction == "minimize" else (a[0], b[1]) for a, b in pairwise(best)]
    return [corner for n, point in enumerate(best) for corner in (tuple(point), *between[n : n + 1])]


def pareto_figure(info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = "") -> Any:
    """Draw it; the arguments are those of `pareto_spec`."""
    import plotly.graph_objects as go

    return go.Figure(pareto_spec(info, mode, uirevision))


def pareto_spec(info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = "") -> dict[str, Any]:
    """The figure as plain JSON values: what a page sends, without the cost of checking every number of it.

    Args:
        mode: "light" or "dark".
        uirevision: while this stays equal, a redrawn figure keeps the zoom.
    """
    styles = theme.styles({*info.titles.values(), *(p.runtime for p in info.points)}, mode)
    return {"data": _traces(info, styles, mode), "layout": _layout(info, mode, uirevision)}


def _layout(info: ParetoInfo, mode: theme.Mode, uirevision: str) -> dict[str, Any]:
    ink = theme.INKS[mode]
    return {
        "template": theme.template(mode).to_plotly_json(),
        "xaxis": _axis_layout(info.x, [p.x.value for p in info.points]),
        "yaxis": _axis_layout(info.y, [p.y.value for p in info.points]), "height": HEIGHT, "hovermode": "closest",
        "dragmode": "zoom", "clickmode": "event", "uirevision": f"{uirevision} {info.x.label} {info.y.label}",
        "shapes": [_limit_line(info, metric, value, ink) for metric, value in info.limits],
        "annotations": [_pick_label(info, p, ink) for p in info.points if p.trial == info.pick],
    }  # fmt: skip


def _axis_layout(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    """On a log axis a tick format makes Plotly write 0.2 and 0.5 where it would write the digits 2 and 5."""
    scale = {"type": "log", "tickformat": ".3~r", "nticks": _log_ticks(values)} if axis.log else {"type": "linear"}
    return {"title": {"text": axis.label}, **scale}


def _log_ticks(values: Sequence[float]) -> int:
    """How many ticks to ask for: over a decade or more Plotly labels 1, 2 and 5 if that is under 3 a decade, else 1 to 9."""
    decades = math.log10(max(values) / min(values)) + MARGIN_DECADES if values else 0.0
    return 8 if decades < 1 else max(2, int(decades * 3))


def _limit_line(info: ParetoInfo, metric: str, value: float, ink: theme.Ink) -> dict[str, Any]:
    line = {"type": "line", "line": {"color": ink.muted, "width": 1, "dash": "dot"}, "layer": "below"}
    if metric == info.x.metric:
        at = value / info.x.divisor
        return {**line, "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    at = value / info.y.divisor
    return {**line, "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": at, "y1": at}


def _pick_label(info: ParetoInfo, point: Point, ink: theme.Ink) -> dict[str, Any]:
    x, y = point.x.value / info.x.divisor, point.y.value / info.y.divisor
    return {"x": math.log10(x) if info.x.log else x, "y": math.log10(y) if info.y.log else y,
            "text": "<b>best pick</b>", "showarrow": True, "arrowhead": 0, "arrowcolor": ink.muted, "standoff": 10,
            "ax": 0, "ay": 42,
            "font": {"size": 12, "color": ink.text}, "bgcolor": ink.ground, "bordercolor": ink.muted,
            "borderpad": 3}  # fmt: skip


def _kind(info: ParetoInfo) -> str:
    """All traces are of one kind: what WebGL draws would cover what SVG draws."""
    return "scattergl" if len(info.points) >= WEBGL_FROM else "scatter"


def _line_trace(info: ParetoInfo, mode: theme.Mode) -> dict[str, Any]:
    best = "best" if info.y.direction == "maximize" else "lowest"
    name = f"front: {best} {words.plain(info.y.metric)} for its {words.plain(info.x.metric)}"
    line = {"shape": "hv" if info.x.direction == "minimize" else "vh", "width": 1.5, "color": theme.INKS[mode].muted}
    return {
        "type": _kind(info), "mode": "lines", "name": name, "line": line, "hoverinfo": "skip",
        "x": [x / info.x.divisor for x, _ in info.line], "y": [y / info.y.divisor for _, y in info.line],
    }  # fmt: skip


def _band_trace(info: ParetoInfo) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": "95 % band of the front", "fill": "toself", "hoverinfo": "skip",
        "line": {"width": 0}, "fillcolor": "rgba(128,140,155,0.16)",
        "x": [x / info.x.divisor for x, _ in info.band], "y": [y / info.y.divisor for _, y in info.band],
    }  # fmt: skip


_OPACITY: Mapping[Role, float] = {"excluded": 0.1, "dominated": 0.32, "tied": 0.6, "front": 0.95}
"""From back to front: the dim ones are drawn first."""


def _traces(info: ParetoInfo, styles: Mapping[str, theme.Style], mode: theme.Mode) -> list[dict[str, Any]]:
    runtimes = sorted({p.runtime for p in info.points})
    band = [_band_trace(info)] if info.band and _kind(info) == "scatter" else []
    traces = [*band, _line_trace(info, mode), *(_legend_entry(name, styles[name]) for name in runtimes)]
    for role, opacity in _OPACITY.items():
        for name in runtimes:
            if mine := [p for p in info.points if p.runtime == name and p.role == role and not p.is_baseline]:
                traces.append(_trace(info, mine, styles[name], opacity, theme.INKS[mode].ground))
    for name in runtimes:
        if baselines := [p for p in info.points if p.runtime == name and p.is_baseline]:
            traces.append(_baseline_trace(info, baselines, styles[name], mode))
    return traces


def _legend_entry(runtime: str, style: theme.Style) -> dict[str, Any]:
    """A trace without points: the legend looks the same whatever is on the front."""
    marker = {"color": style.color, "symbol": style.symbol, "size": 11}
    return {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "marker": marker, "name": runtime,
            "legendgroup": runtime}  # fmt: skip


def _trace(info: ParetoInfo, points: Sequence[Point], style: theme.Style, opacity: float, edge: str) -> dict[str, Any]:
    marker = {"color": style.color, "symbol": style.symbol, "size": _diameters(info, points),
              "opacity": opacity, "line": {"color": edge, "width": 1}}  # fmt: skip
    trace = {
        "type": _kind(info), "mode": "markers",
        "name": points[0].runtime, "legendgroup": points[0].runtime, "showlegend": False, "marker": marker,
        "x": [p.x.value / info.x.divisor for p in points], "y": [p.y.value / info.y.divisor for p in points],
        "customdata": [[p.trial] for p in points], "text": [_hover(info, p) for p in points],
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip
    if points[0].role == "front" or points[0].is_baseline:  # the bars of all the others would hide these
        trace |= {"error_x": _bars(info.x, [p.x for p in points], style.color, opacity),
                  "error_y": _bars(info.y, [p.y for p in points], style.color, opacity)}  # fmt: skip
    return trace


def _baseline_trace(info: ParetoInfo, points: Sequence[Point], style: theme.Style, mode: theme.Mode) -> dict[str, Any]:
    """Hollow, and named in the plot: what everything else is compared with."""
    trace = _trace(info, points, style, 1.0, style.color)
    trace["marker"] |= {"color": theme.INKS[mode].ground, "line": {"color": style.color, "width": 2.5}}
    trace |= {"mode": "markers+text", "textposition": "top center", "hovertext": trace["text"],
              "text": ["float"] * len(points), "hovertemplate": "%{hovertext}<extra></extra>",
              "textfont": {"size": 11, "color": theme.INKS[mode].muted}}  # fmt: skip
    return trace


def _diameters(info: ParetoInfo, points: Sequence[Point]) -> list[float]:
    """Pixels; a marker's area grows with the metric."""
    largest = max((p.size.value for p in info.points if p.size), default=0.0)
    shares = (max(p.size.value, 0.0) / largest if p.size and largest > 0 else 0.15 for p in points)
    shrink = 1.0 if len(info.points) < WEBGL_FROM or any(p.role == "front" or p.is_baseline for p in points) else 0.5
    return [round(shrink * (SMALLEST + (LARGEST - SMALLEST) * math.sqrt(share)), 1) for share in shares]


def _bars(axis: Axis, values: Sequence[Measurement], color: str, opacity: float) -> dict[str, Any]:
    above = [(m.value if m.high is None else m.high) - m.value for m in values]
    below = [m.value - (m.value if m.low is None else m.low) for m in values]
    return {"type": "data", "symmetric": False, "array": [a / axis.divisor for a in above], "thickness": 1.2,
            "width": 0, "arrayminus": [b / axis.divisor for b in below],
            "color": f"rgba({theme.rgb(color)},{0.4 * opacity:.2f})"}  # fmt: skip


_ROLE_WORDS: Mapping[Role, str] = {
    "front": "on the front: nothing beats it",
    "tied": "a tie with the front: what beats it may be chance",
    "dominated": "beaten by another trial",
    "excluded": "outside the limits",
}


def _hover(info: ParetoInfo, point: Point) -> str:
    shown = [(info.x.title, point.x), (info.y.title, point.y)]
    shown += [(info.size.title, point.size)] if info.size and point.size else []
    lines = [f"{title}: {formats.measurement(m)}" for title, m in shown]
    lines += [f"{m.metric}: {formats.measurement(m)}" for m in point.others]
    return "<br>".join([f"<b>{escape(point.name)}</b> on {escape(point.target)}", *lines, _ROLE_WORDS[point.role]])
