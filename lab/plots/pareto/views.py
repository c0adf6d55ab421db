"""A study's trade-off in other ways than one plot: in three dimensions, as parallel coordinates, as
one small plot a group.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from textwrap import wrap
from typing import Any

from lab.plots import formatting, theme
from lab.plots.pareto.figure import HEIGHT, hover, pareto_spec, styles_of, tint
from lab.plots.pareto.info import Axis, ParetoInfo, Point, Role
from lab.types import Measurement

SOLID = {
    "circle": "circle",
    "square": "square",
    "diamond": "diamond",
    "triangle-up": "cross",
    "cross": "x",
    "triangle-down": "diamond-open",
}
"""Shapes that can be drawn in three dimensions, for those of the plane."""
ABREAST, PANEL_HEIGHT, GAP, ROW_GAP = 3, 260, 0.05, 0.15
HEADING = 27
"""Letters in a line above a small plot."""
TICKS = 5
FAINT: Mapping[Role, float] = {"excluded": 0.12, "dominated": 0.3, "tied": 0.6, "front": 1.0}


# --- three dimensions -----------------------------------------------------------------------------


def solid_spec(
    info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = ""
) -> dict[str, Any]:
    """The third number as height: a figure of `scatter3d` traces, to be turned with the mouse.

    Raises:
        ValueError: there is no third number.
    """
    if info.size is None:
        raise ValueError("A plot in three dimensions needs a third number")
    ink, styles = theme.INKS[mode], styles_of(info, mode)
    points = [p for p in info.points if p.size]
    traces = [
        _solid(
            info,
            [p for p in points if p.group == group and p.role == role],
            styles[group],
            FAINT[role],
        )
        for role in FAINT
        for group in sorted({p.group for p in points})
        if any(p.group == group and p.role == role for p in points)
    ]
    axes = {"xaxis": info.x, "yaxis": info.size, "zaxis": info.y}
    scene = {name: _solid_axis(axis, ink) for name, axis in axes.items()}
    camera = {"eye": {"x": -1.5, "y": -1.5, "z": 0.8}}
    return {
        "data": [*(_solid_legend(group, styles[group]) for group in info.groups), *traces],
        "layout": {
            "template": theme.template(mode).to_plotly_json(),
            "height": HEIGHT + 110,
            "uirevision": uirevision,
            "scene": {**scene, "camera": camera, "uirevision": uirevision},
            "margin": {"l": 0, "r": 0, "t": 30, "b": 0},
        },
    }


def _solid(
    info: ParetoInfo, points: Sequence[Point], style: theme.Style, opacity: float
) -> dict[str, Any]:
    assert info.size is not None
    size = 7 if opacity == 1.0 else 4
    return {
        "type": "scatter3d",
        "mode": "markers",
        "showlegend": False,
        "legendgroup": points[0].group,
        "name": points[0].group,
        "x": [p.x.value / info.x.divisor for p in points],
        "y": [p.size.value / info.size.divisor for p in points if p.size],
        "z": [p.y.value / info.y.divisor for p in points],
        "customdata": [[p.trial] for p in points],
        "text": [hover(info, p) for p in points],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": style.color,
            "symbol": SOLID[style.symbol],
            "size": size,
            "opacity": opacity,
        },
    }


def _solid_legend(group: str, style: theme.Style) -> dict[str, Any]:
    marker = {"color": style.color, "symbol": SOLID[style.symbol], "size": 6}
    return {
        "type": "scatter3d",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "z": [None],
        "marker": marker,
        "name": group,
        "legendgroup": group,
    }


def _solid_axis(axis: Axis, ink: theme.Ink) -> dict[str, Any]:
    unit = f", {axis.suffix}" if axis.suffix else ""
    title = {"text": f"{axis.title}{unit}", "font": {"size": 12, "color": ink.muted}}
    kind = {"type": "log", "tickformat": ".3~r", "nticks": 4} if axis.ratio else {"type": "linear"}
    return {
        "title": title,
        **kind,
        "gridcolor": ink.grid,
        "backgroundcolor": "rgba(0,0,0,0)",
        "color": ink.text,
    }


# --- parallel coordinates -------------------------------------------------------------------------


@dataclass(frozen=True)
class Dimension:
    """One upright axis: the points' places on it (None is not possible there), better ones higher,
    and what its ticks say.
    """

    label: str
    places: tuple[float, ...]
    ticks: tuple[float, ...]
    said: tuple[str, ...]
    flipped: bool


def dimensions(info: ParetoInfo) -> tuple[Dimension, ...]:
    """The axes of `parallel_spec`: the numbers shown elsewhere as x, y and size, then the other
    objectives; only of points that have all.
    """
    axes = {a.metric: a for a in (info.y, info.size, info.x) if a}
    rows = _rows(info)
    others = [m for m in (info.points[0].others if info.points else ()) if m.metric not in axes]
    axes |= {m.metric: _axis_of(m, [row[m.metric] for row in rows]) for m in others}
    return tuple(_dimension(axis, [row[id_].value for row in rows]) for id_, axis in axes.items())


def _rows(info: ParetoInfo) -> list[dict[str, Measurement]]:
    """Metric -> number, of each point that can be drawn, dim ones first so that they lie below."""
    return [{m.metric: m for m in (p.y, p.size, p.x, *p.others) if m} for p in _drawn(info)]


def _drawn(info: ParetoInfo) -> list[Point]:
    return sorted((p for p in info.points if info.size is None or p.size), key=_prominence)


def _prominence(point: Point) -> int:
    return list(FAINT).index(point.role)


def _axis_of(like: Measurement, values: Sequence[Measurement]) -> Axis:
    divisor, suffix = formatting.axis_scale(like.unit, [m.value for m in values])
    ratio = formatting.kind_of(like.unit) in (formatting.SECONDS, formatting.BYTES)
    direction: Any = "minimize" if ratio else "maximize"
    return Axis(
        like.metric,
        formatting.capital(like.metric.replace("_", " ")),
        like.unit,
        direction,
        divisor,
        suffix,
        ratio=ratio,
    )


def _dimension(axis: Axis, values: Sequence[float]) -> Dimension:
    log = axis.ratio and all(v > 0 for v in values)
    place = (lambda v: math.log10(v)) if log else (lambda v: v)
    places = tuple(place(v / axis.divisor) for v in values)
    low, high = (min(places), max(places)) if places else (0.0, 1.0)
    ticks = (
        tuple(low + (high - low) * i / (TICKS - 1) for i in range(TICKS)) if high > low else (low,)
    )
    said = tuple(formatting.digits(10**t if log else t, axis.suffix) for t in ticks)
    return Dimension(
        f"{axis.title}, {axis.suffix}".rstrip(", "),
        places,
        ticks,
        said,
        axis.direction == "minimize",
    )


def parallel_spec(
    info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = "", marked: Collection[str] = ()
) -> dict[str, Any]:
    """One line a trial over upright axes, the better end of each at the top; what is on the front
    in colour, the rest dim.

    Args:
        marked: ids of trials to draw in a colour of their own.
    """
    ink = theme.INKS[mode]
    drawn = _drawn(info)
    strong = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    colors = [ink.grid, _MIDDLE, _TIED, strong, MARKED]
    scale = [[(n + end) / len(colors), color] for n, color in enumerate(colors) for end in (0, 1)]
    level = [len(colors) - 1 if p.trial in marked else _prominence(p) for p in drawn]
    line = {
        "color": level,
        "cmin": -0.5,
        "cmax": len(colors) - 0.5,
        "colorscale": scale,
        "showscale": False,
    }
    trace = {
        "type": "parcoords",
        "line": line,
        "labelangle": 0,
        "labelfont": {"size": 12, "color": ink.muted},
        "tickfont": {"size": 11, "color": ink.text},
        "rangefont": {"size": 1, "color": "rgba(0,0,0,0)"},
        "unselected": {"line": {"color": ink.grid, "opacity": 0.15}},
        "dimensions": [
            {
                "label": d.label,
                "values": list(d.places),
                "tickvals": list(d.ticks),
                "ticktext": list(d.said),
                "range": _span(d),
            }
            for d in dimensions(info)
        ],
    }
    return {
        "data": [trace],
        "layout": {
            "template": theme.template(mode).to_plotly_json(),
            "height": HEIGHT,
            "uirevision": uirevision,
            "margin": {"l": 60, "r": 60, "t": 60, "b": 24},
        },
    }


_MIDDLE, _TIED = "#A8B3BF", "#E69F00"
MARKED = "#D55E00"


def _span(d: Dimension) -> list[float]:
    """From the worse end to the better one."""
    low, high = d.ticks[0], d.ticks[-1]
    if low == high:
        low, high = low - 1, high + 1
    return [high, low] if d.flipped else [low, high]


# --- one small plot a group -----------------------------------------------------------------------


def multiples_spec(
    info: ParetoInfo, mode: theme.Mode = "light", uirevision: str = ""
) -> dict[str, Any]:
    """A small plot for each group on the same axes: its own trials in colour, all others grey, the
    front of all in each.
    """
    whole = pareto_spec(info, mode, uirevision)
    groups = sorted({p.group for p in info.points})
    columns = 2 if len(groups) == 4 else min(ABREAST, max(1, len(groups)))
    rows = math.ceil(len(groups) / columns) or 1
    ink, line = (
        theme.INKS[mode],
        next(t for t in whole["data"] if t["mode"] == "lines" and "fill" not in t),
    )
    styles, traces, layout = styles_of(info, mode), [], _bare(whole["layout"])
    for number, group in enumerate(groups):
        place = "" if number == 0 else str(number + 1)
        at = {"xaxis": f"x{place}", "yaxis": f"y{place}", "showlegend": False}
        traces += [{**line, **at}, *_panel(info, group, styles[group], ink, at)]
        layout |= _axes(whole["layout"], number, place, columns, rows, len(groups))
        layout["annotations"].append(_heading(group, number, columns, rows, ink))
    if info.tinted:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [None],
                "y": [None],
                "showlegend": False,
                "marker": {"color": [None], **tint(info, ())},
            }
        )
    layout["annotations"] += _titles(info, ink)
    return {
        "data": traces,
        "layout": {**layout, "height": max(HEIGHT, PANEL_HEIGHT * rows), "showlegend": False},
    }


def _titles(info: ParetoInfo, ink: theme.Ink) -> list[dict[str, Any]]:
    """The axes' names once, for all plots."""
    words = {
        "font": {"size": 13, "color": ink.muted},
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
    }
    return [
        {**words, "text": info.x.label, "x": 0.5, "y": 0, "yshift": -34, "yanchor": "top"},
        {
            **words,
            "text": info.y.label,
            "x": 0,
            "y": 0.5,
            "xshift": -46,
            "xanchor": "right",
            "textangle": -90,
        },
    ]


def _bare(layout: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in layout.items() if k not in ("xaxis", "yaxis", "annotations", "shapes")}
    return {**kept, "annotations": [], "margin": {"l": 72, "r": 12, "t": 44, "b": 62}}


def _panel(
    info: ParetoInfo, group: str, style: theme.Style, ink: theme.Ink, at: Mapping[str, Any]
) -> list[dict[str, Any]]:
    others = [p for p in info.points if p.group != group]
    mine = sorted((p for p in info.points if p.group == group), key=_prominence)
    kind = {"type": "scattergl" if len(info.points) >= MANY else "scatter", "mode": "markers"}
    grey = {"color": ink.muted, "size": 4, "opacity": 0.18}
    own = {
        "color": style.color,
        "symbol": style.symbol,
        "size": [9 if p.role == "front" else 6 for p in mine],
        "opacity": [max(FAINT[p.role], 0.35) for p in mine],
        "line": {"color": ink.ground, "width": 0.5},
        **(tint(info, mine) if info.tinted else {}),
    }
    return [
        {
            **kind,
            **at,
            "x": [p.x.value / info.x.divisor for p in others],
            "y": [p.y.value / info.y.divisor for p in others],
            "marker": grey,
            "hoverinfo": "skip",
        },
        {
            **kind,
            **at,
            "x": [p.x.value / info.x.divisor for p in mine],
            "y": [p.y.value / info.y.divisor for p in mine],
            "marker": own,
            "customdata": [[p.trial] for p in mine],
            "text": [hover(info, p) for p in mine],
            "hovertemplate": "%{text}<extra></extra>",
            "name": group,
        },
    ]


MANY = 400


def _axes(
    layout: Mapping[str, Any], number: int, place: str, columns: int, rows: int, count: int
) -> dict[str, Any]:
    row, column = divmod(number, columns)
    width, height = (1 - GAP * (columns - 1)) / columns, (1 - ROW_GAP * (rows - 1)) / rows
    left, top = column * (width + GAP), 1 - row * (height + ROW_GAP)
    lowest = number + columns >= count
    x = {
        **layout["xaxis"],
        "title": {"text": ""},
        "domain": [left, left + width],
        "anchor": f"y{place}",
        "showticklabels": lowest,
    }
    y = {
        **layout["yaxis"],
        "title": {"text": ""},
        "domain": [top - height, top],
        "anchor": f"x{place}",
        "showticklabels": column == 0,
    }
    if place:
        x, y = {**x, "matches": "x"}, {**y, "matches": "y"}
    return {f"xaxis{place}": x, f"yaxis{place}": y}


def _heading(group: str, number: int, columns: int, rows: int, ink: theme.Ink) -> dict[str, Any]:
    row, column = divmod(number, columns)
    width, height = (1 - GAP * (columns - 1)) / columns, (1 - ROW_GAP * (rows - 1)) / rows
    return {
        "text": f"<b>{'<br>'.join(map(escape, wrap(unescape(group), HEADING)))}</b>",
        "align": "left",
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "x": column * (width + GAP),
        "y": 1 - row * (height + ROW_GAP),
        "font": {"size": 12, "color": ink.text},
    }
