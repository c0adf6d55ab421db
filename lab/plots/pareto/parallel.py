"""A study's trade-off as parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from lab.plots import formatting, theme
from lab.plots.pareto.figure import HEIGHT
from lab.plots.pareto.info import Axis, ParetoInfo, Point
from lab.plots.pareto.prominence import prominence
from lab.types import Measurement

TICKS = 5
_MIDDLE, _TIED = "#A8B3BF", "#E69F00"
MARKED = "#D55E00"


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
    return sorted((p for p in info.points if info.size is None or p.size), key=prominence)


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
    texts = tuple(formatting.digits(10**t if log else t, axis.suffix) for t in ticks)
    return Dimension(
        f"{axis.title}, {axis.suffix}".rstrip(", "),
        places,
        ticks,
        texts,
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
    level = [len(colors) - 1 if p.trial in marked else prominence(p) for p in drawn]
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


def _span(d: Dimension) -> list[float]:
    """From the worse end to the better one."""
    low, high = d.ticks[0], d.ticks[-1]
    if low == high:
        low, high = low - 1, high + 1
    return [high, low] if d.flipped else [low, high]
