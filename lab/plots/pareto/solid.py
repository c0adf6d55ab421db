"""A study's trade-off in three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.plots import theme
from lab.plots.pareto.figure import HEIGHT, hover, styles_of
from lab.plots.pareto.info import Axis, ParetoInfo, Point
from lab.plots.pareto.prominence import FAINT

SOLID = {
    "circle": "circle",
    "square": "square",
    "diamond": "diamond",
    "triangle-up": "cross",
    "cross": "x",
    "triangle-down": "diamond-open",
}
"""Shapes that can be drawn in three dimensions, for those of the plane."""


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
