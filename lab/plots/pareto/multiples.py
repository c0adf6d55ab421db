"""A study's trade-off as one small plot a group, on the same axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape, unescape
from textwrap import wrap
from typing import Any

from lab.plots import theme
from lab.plots.pareto.figure import HEIGHT, hover, pareto_spec, styles_of, tint
from lab.plots.pareto.info import ParetoInfo
from lab.plots.pareto.prominence import FAINT, prominence

ABREAST, PANEL_HEIGHT, GAP, ROW_GAP = 3, 260, 0.05, 0.15
HEADING = 27
"""Letters in a line above a small plot."""
MANY = 400


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
    mine = sorted((p for p in info.points if p.group == group), key=prominence)
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
