"""The trade-off of a study as a scatter plot; `pareto_info` computes it, the modules
beside this one draw it in other ways.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lab.plots import formatting, theme, words
from lab.plots.pareto.info import Axis, ParetoInfo, Point, Role, pareto_info
from lab.types import Measurement

__all__ = ["HEIGHT", "Axis", "ParetoInfo", "Point", "pareto_figure", "pareto_info", "pareto_spec"]

WEBGL_FROM = 400
"""Points from which WebGL draws, in smaller and fainter markers: below it SVG is crisper and
exports as vectors.
"""
HEIGHT = 430
SMALLEST, LARGEST = 8.0, 26.0
"""Marker diameters in pixels."""
TINTED = 13.0
MARGIN_DECADES = 0.2
"""Approximate length of a log axis beyond its points, both sides together."""
TERSE_FROM = 1500
"""Number of points from which only the important ones have a full hover text: the texts are most of
the data sent.
"""


def pareto_figure(info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = "") -> Any:
    """Draw it; the arguments are those of `pareto_spec`."""
    import plotly.graph_objects as go

    return go.Figure(pareto_spec(info, mode, uirevision))


def pareto_spec(
    info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = ""
) -> dict[str, Any]:
    """The figure as plain JSON values: what a page sends, without the cost of checking every number
    of it.

    Args:
        mode: "light" or "dark".
        uirevision: while this stays equal, a redrawn figure keeps the zoom.
    """
    return {
        "data": _traces(info, styles_of(info, mode), mode),
        "layout": _layout(info, mode, uirevision),
    }


def styles_of(info: ParetoInfo, mode: theme.Mode) -> dict[str, theme.Style]:
    """Return the style of each group."""
    return theme.styles({*info.groups, *(p.group for p in info.points)}, mode)


def _layout(info: ParetoInfo, mode: theme.Mode, uirevision: str) -> dict[str, Any]:
    ink = theme.INKS[mode]
    return {
        "template": theme.template(mode).to_plotly_json(),
        "xaxis": axis_layout(info.x, [p.x.value for p in info.points]),
        "yaxis": axis_layout(info.y, [p.y.value for p in info.points]),
        "height": HEIGHT,
        "hovermode": "closest",
        "dragmode": "zoom",
        "clickmode": "event",
        "uirevision": f"{uirevision} {info.x.label} {info.y.label}",
        "shapes": [_limit_line(info, metric, value, ink) for metric, value in info.limits],
        "annotations": [_pick_label(info, p, ink) for p in info.points if p.trial == info.pick],
    }


def axis_layout(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    """Plotly's description of an axis. On a log axis a tick format makes Plotly write 0.2 and 0.5
    where it would write the digits 2 and 5.
    """
    scale = (
        {"type": "log", "tickformat": ".3~r", "nticks": _log_ticks(values)}
        if axis.log
        else {"type": "linear"}
    )
    return {"title": {"text": axis.label}, **scale}


def _log_ticks(values: Sequence[float]) -> int:
    """Return the number of ticks to request: over a decade or more, Plotly labels 1, 2 and 5 below
    3 per decade, otherwise 1 to 9.
    """
    decades = math.log10(max(values) / min(values)) + MARGIN_DECADES if values else 0.0
    return 8 if decades < 1 else max(2, int(decades * 3))


def _limit_line(info: ParetoInfo, metric: str, value: float, ink: theme.Ink) -> dict[str, Any]:
    line = {
        "type": "line",
        "line": {"color": ink.muted, "width": 1, "dash": "dot"},
        "layer": "below",
    }
    if metric == info.x.metric:
        at = value / info.x.divisor
        return {**line, "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    at = value / info.y.divisor
    return {**line, "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": at, "y1": at}


def _pick_label(info: ParetoInfo, point: Point, ink: theme.Ink) -> dict[str, Any]:
    x, y = point.x.value / info.x.divisor, point.y.value / info.y.divisor
    return {
        "x": math.log10(x) if info.x.log else x,
        "y": math.log10(y) if info.y.log else y,
        "text": "<b>best pick</b>",
        "showarrow": True,
        "arrowhead": 0,
        "arrowcolor": ink.muted,
        "standoff": 10,
        "ax": 0,
        "ay": 42,
        "font": {"size": 12, "color": ink.text},
        "bgcolor": ink.ground,
        "bordercolor": ink.muted,
        "borderpad": 3,
    }


def _kind(info: ParetoInfo) -> str:
    """Return the kind of all traces: WebGL traces would cover SVG ones."""
    return "scattergl" if len(info.points) >= WEBGL_FROM else "scatter"


def _line_trace(info: ParetoInfo, mode: theme.Mode) -> dict[str, Any]:
    best = "best" if info.y.direction == "maximize" else "lowest"
    name = f"front: {best} {words.plain(info.y.metric)} for its {words.plain(info.x.metric)}"
    line = {
        "shape": "hv" if info.x.direction == "minimize" else "vh",
        "width": 1.5,
        "color": theme.INKS[mode].muted,
    }
    return {
        "type": _kind(info),
        "mode": "lines",
        "name": name,
        "line": line,
        "hoverinfo": "skip",
        "x": [x / info.x.divisor for x, _ in info.line],
        "y": [y / info.y.divisor for _, y in info.line],
    }


def _band_trace(info: ParetoInfo) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "95 % band of the front",
        "fill": "toself",
        "hoverinfo": "skip",
        "line": {"width": 0},
        "fillcolor": "rgba(128,140,155,0.16)",
        "x": [x / info.x.divisor for x, _ in info.band],
        "y": [y / info.y.divisor for _, y in info.band],
    }


_OPACITY: Mapping[Role, float] = {"excluded": 0.1, "dominated": 0.32, "tied": 0.6, "front": 0.95}
"""Opacity from back to front: faded points are drawn first."""


def _traces(
    info: ParetoInfo, styles: Mapping[str, theme.Style], mode: theme.Mode
) -> list[dict[str, Any]]:
    groups = sorted({p.group for p in info.points})
    band = [_band_trace(info)] if info.band and _kind(info) == "scatter" else []
    traces = [
        *band,
        _line_trace(info, mode),
        *(_legend_entry(info, name, styles[name], mode) for name in groups),
    ]
    for role, opacity in _OPACITY.items():
        for name in groups:
            if mine := [
                p for p in info.points if p.group == name and p.role == role and not p.is_baseline
            ]:
                traces.append(_trace(info, mine, styles[name], opacity, theme.INKS[mode].ground))
    for name in groups:
        if baselines := [p for p in info.points if p.group == name and p.is_baseline]:
            traces.append(_baseline_trace(info, baselines, styles[name], mode))
    return traces


def _legend_entry(
    info: ParetoInfo, group: str, style: theme.Style, mode: theme.Mode
) -> dict[str, Any]:
    """A trace without points: the legend looks the same whatever is on the front."""
    marker: dict[str, Any] = {
        "color": theme.INKS[mode].muted if info.tinted else style.color,
        "symbol": style.symbol,
        "size": 11,
    }
    if info.tinted and info.size and group == info.points[0].group:
        marker |= {"color": [None], **tint(info, ())}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": marker,
        "name": group,
        "legendgroup": group,
    }


def tint(info: ParetoInfo, points: Sequence[Point]) -> dict[str, Any]:
    """Colours of markers by the third number, with the bar that explains them where no points are
    given.
    """
    if info.size is None:
        return {}
    values = [p.size.value for p in info.points if p.size]
    divisor, ratio = info.size.divisor, info.size.ratio and min(values) > 0

    def place(value: float) -> float:
        return math.log10(value / divisor) if ratio else value / divisor

    low, high = place(min(values)), place(max(values))
    scale = {
        "colorscale": [[0, theme.OKABE_ITO[0]], [1, theme.OKABE_ITO[4]]],
        "cmin": low,
        "cmax": high if high > low else low + 1,
    }
    if points:
        return {**scale, "color": [place(p.size.value) if p.size else None for p in points]}
    ticks = [low + (high - low) * i / 4 for i in range(5)]
    texts = [formatting.digits(10**t if ratio else t, info.size.suffix) for t in ticks]
    title = {"text": f"{info.size.title}, {info.size.suffix}".rstrip(", "), "side": "right"}
    bar = {"title": title, "thickness": 12, "tickvals": ticks, "ticktext": texts, "outlinewidth": 0}
    return {**scale, "showscale": True, "colorbar": bar}


def _trace(
    info: ParetoInfo, points: Sequence[Point], style: theme.Style, opacity: float, edge: str
) -> dict[str, Any]:
    marker = {
        "color": style.color,
        "symbol": style.symbol,
        "size": _diameters(info, points),
        "opacity": opacity,
        "line": {"color": edge, "width": 1},
        **(tint(info, points) if info.tinted else {}),
    }
    trace = {
        "type": _kind(info),
        "mode": "markers",
        "name": points[0].group,
        "legendgroup": points[0].group,
        "showlegend": False,
        "marker": marker,
        "x": [p.x.value / info.x.divisor for p in points],
        "y": [p.y.value / info.y.divisor for p in points],
        "customdata": [[p.trial] for p in points],
        "text": [hover(info, p) for p in points],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if (
        points[0].role == "front" or points[0].is_baseline
    ):  # the bars of all the others would hide these
        trace |= {
            "error_x": _bars(info.x, [p.x for p in points], style.color, opacity),
            "error_y": _bars(info.y, [p.y for p in points], style.color, opacity),
        }
    return trace


def _baseline_trace(
    info: ParetoInfo, points: Sequence[Point], style: theme.Style, mode: theme.Mode
) -> dict[str, Any]:
    """Draw a baseline hollow and labelled."""
    trace = _trace(info, points, style, 1.0, style.color)
    edge = theme.INKS[mode].text if info.tinted else style.color
    trace["marker"] |= {"color": theme.INKS[mode].ground, "line": {"color": edge, "width": 2.5}}
    trace |= {
        "mode": "markers+text",
        "textposition": "top center",
        "hovertext": trace["text"],
        "text": ["float"] * len(points),
        "hovertemplate": "%{hovertext}<extra></extra>",
        "textfont": {"size": 11, "color": theme.INKS[mode].muted},
    }
    return trace


def _diameters(info: ParetoInfo, points: Sequence[Point]) -> list[float]:
    """Pixels; a marker's area grows with the metric."""
    if info.tinted:
        return [TINTED] * len(points)
    largest = max((p.size.value for p in info.points if p.size), default=0.0)
    shares = (max(p.size.value, 0.0) / largest if p.size and largest > 0 else 0.15 for p in points)
    shrink = (
        1.0
        if len(info.points) < WEBGL_FROM or any(p.role == "front" or p.is_baseline for p in points)
        else 0.5
    )
    return [
        round(shrink * (SMALLEST + (LARGEST - SMALLEST) * math.sqrt(share)), 1) for share in shares
    ]


def _bars(axis: Axis, values: Sequence[Measurement], color: str, opacity: float) -> dict[str, Any]:
    above = [(m.value if m.high is None else m.high) - m.value for m in values]
    below = [m.value - (m.value if m.low is None else m.low) for m in values]
    return {
        "type": "data",
        "symmetric": False,
        "array": [a / axis.divisor for a in above],
        "thickness": 1.2,
        "width": 0,
        "arrayminus": [b / axis.divisor for b in below],
        "color": f"rgba({theme.rgb(color)},{0.4 * opacity:.2f})",
    }


_ROLE_WORDS: Mapping[Role, str] = {
    "front": "on the front",
    "tied": "tied with the front: the difference may be chance",
    "dominated": "another variant is better in every respect",
    "excluded": "outside the limits",
}


def hover(info: ParetoInfo, point: Point) -> str:
    """Return the hover text of a point as HTML."""
    if (
        len(info.points) >= TERSE_FROM
        and point.role not in ("front", "tied")
        and not point.is_baseline
    ):
        return f"<b>{escape(point.name)}</b> on {escape(point.target)}"
    shown = [(info.x.title, point.x), (info.y.title, point.y)]
    shown += [(info.size.title, point.size)] if info.size and point.size else []
    lines = [f"{title}: {formatting.measurement(m)}" for title, m in shown]
    lines += [f"{m.metric}: {formatting.measurement(m)}" for m in point.others]
    return "<br>".join(
        [f"<b>{escape(point.name)}</b> on {escape(point.target)}", *lines, _ROLE_WORDS[point.role]]
    )
