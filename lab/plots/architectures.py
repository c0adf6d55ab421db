"""Models of one data set: accuracy of each architecture against its work and size, before
compression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.analysis.front import non_dominated
from lab.plots import formatting, theme
from lab.plugs import Metric
from lab.types import Measurement, ModelCard

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 440
SMALLEST, LARGEST = 12.0, 44.0
"""Marker diameters in pixels."""

CLOSE = 1.6
"""Ratio of what goes across below which two models' names would meet."""

ACROSS = {"macs": "MACs per item", "parameters": "Parameters", "size_bytes": "File size"}
"""Choices of the x axis and their titles."""


_PLAIN = {"macs": "MACs", "parameters": "parameters", "size_bytes": "file size"}


@dataclass(frozen=True)
class Architecture:
    """One model in the plot; `x` in operations, numbers or bytes."""

    model: str
    name: str
    framework: str
    x: float
    quality: Measurement
    size_bytes: int
    macs: int | None
    parameters: int | None


@dataclass(frozen=True)
class ArchitecturesInfo:
    """Values of the plot of architectures.

    Attributes:
        points: by rising x, then falling quality.
        line: (x, quality) of the models that no other beats in both, by rising x.
        left_out: titles of models without one of the numbers.
    """

    across: str
    metric: str
    unit: str
    direction: str
    points: tuple[Architecture, ...]
    line: tuple[tuple[float, float], ...]
    left_out: tuple[str, ...] = ()


def architectures_info(
    cards: Sequence[ModelCard], sizes: Mapping[str, int], metric: Metric, *, across: str = "macs"
) -> ArchitecturesInfo:
    """Lay out models of one data set.

    Args:
        cards: the models.
        sizes: id -> bytes of its file.
        metric: the task's own, which goes up.
        across: key of ACROSS.
    """
    architectures = [_architecture(card, sizes.get(card.id), metric.id, across) for card in cards]
    points = sorted((p for p in architectures if p), key=lambda p: (p.x, -p.quality.value, p.name))
    left_out = tuple(card.title for card, p in zip(cards, architectures, strict=True) if p is None)
    line = _line(points, metric.direction)
    return ArchitecturesInfo(
        across, metric.title, metric.unit, metric.direction, tuple(points), line, left_out
    )


def _architecture(
    card: ModelCard, size: int | None, metric: str, across: str
) -> Architecture | None:
    quality = card.baseline.get(metric)
    x = (
        size
        if across == "size_bytes"
        else {"macs": card.macs, "parameters": card.parameters}[across]
    )
    if quality is None or not x or size is None:
        return None
    name = card.title.partition(",")[0]
    return Architecture(
        card.id,
        name,
        formatting.framework(card.framework),
        x,
        quality,
        size,
        card.macs,
        card.parameters,
    )


def _line(points: Sequence[Architecture], direction: str) -> tuple[tuple[float, float], ...]:
    pairs = np.array([[p.x, p.quality.value] for p in points]).reshape(-1, 2)
    best = pairs[non_dominated(pairs, ["minimize", direction])]
    return tuple((float(a), float(b)) for a, b in np.unique(best, axis=0))


def architectures_table(info: ArchitecturesInfo) -> pd.DataFrame:
    """Return the same numbers as a table, one row per model; ★ marks models on the front."""
    import pandas as pd

    divisor, suffix = formatting.axis_scale(info.unit, [p.quality.value for p in info.points])
    rows = [
        {
            "Model": p.name,
            f"{info.metric}, {suffix}".rstrip(", "): p.quality.value / divisor,
            "95 % interval": formatting.interval(p.quality),
            "File, kB": p.size_bytes / 1e3,
            "Params, k": p.parameters and p.parameters / 1e3,
            "MACs, M": p.macs and p.macs / 1e6,
            "★": "★" if (p.x, p.quality.value) in info.line else "",
        }
        for p in info.points
    ]
    return pd.DataFrame(rows)


def architectures_figure(info: ArchitecturesInfo, mode: theme.Mode = "light") -> Any:
    """Draw it; each marker's customdata begins with its model's id."""
    import plotly.graph_objects as go

    styles = theme.styles({p.framework for p in info.points}, mode)
    traces = [_line_trace(info, mode)] if len(info.line) > 1 else []
    for name, style in styles.items():
        traces.append(_trace(info, [p for p in info.points if p.framework == name], style, mode))
    return go.Figure(traces, _layout(info, mode))


def _layout(info: ArchitecturesInfo, mode: theme.Mode) -> dict[str, Any]:
    suffix = formatting.scale(info.unit, _highest(info))[1]
    title = f"{info.metric}{f' in {suffix}' if suffix else ''}   better →"
    across = f"{ACROSS[info.across]}, log scale   ← less"
    low, high = _x_range(info)
    ticks = [
        t * 10**power for power in range(math.floor(low), math.ceil(high) + 1) for t in (1, 2, 5)
    ]
    texts = [
        _round(formatting.value(t, "B") if info.across == "size_bytes" else formatting.count(t))
        for t in ticks
    ]
    return {
        "template": theme.template(mode),
        "height": HEIGHT,
        "hovermode": "closest",
        "clickmode": "event",
        "xaxis": {
            "title": {"text": across},
            "type": "log",
            "range": [low, high],
            "tickvals": ticks,
            "ticktext": texts,
        },
        "yaxis": {"title": {"text": title}, "range": _y_range(info)},
        "legend": {"itemsizing": "constant"},
        "uirevision": f"{info.across} {info.metric}",
    }


def _round(text: str) -> str:
    """ "5.00 M" -> "5 M"."""
    number, _, suffix = text.partition(" ")
    return f"{float(number):g} {suffix}".strip()


def _x_range(info: ArchitecturesInfo) -> list[float]:
    """Half of the least to double the most, so that a single model stands in the middle and names
    have room.
    """
    values = [p.x for p in info.points] or [1.0]
    return [math.log10(min(values) / 2), math.log10(max(values) * 2)]


def _highest(info: ArchitecturesInfo) -> float:
    return max((p.quality.value for p in info.points), default=1.0)


def _y_range(info: ArchitecturesInfo) -> list[float]:
    divisor = formatting.scale(info.unit, _highest(info))[0]
    ends = [
        e
        for p in info.points
        for e in (p.quality.low, p.quality.high, p.quality.value)
        if e is not None
    ]
    low, high = min(ends, default=0.0) / divisor, max(ends, default=1.0) / divisor
    margin = 0.15 * (high - low) or 1.0
    return [low - margin, high + margin]


def _line_trace(info: ArchitecturesInfo, mode: theme.Mode) -> dict[str, Any]:
    divisor = formatting.scale(info.unit, _highest(info))[0]
    line = {"shape": "hv", "width": 1.5, "color": theme.INKS[mode].muted}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"front: highest {info.metric} for its " + _PLAIN[info.across],
        "line": line,
        "hoverinfo": "skip",
        "x": [x for x, _ in info.line],
        "y": [y / divisor for _, y in info.line],
    }


def _trace(
    info: ArchitecturesInfo, points: Sequence[Architecture], style: theme.Style, mode: theme.Mode
) -> dict[str, Any]:
    divisor = formatting.scale(info.unit, _highest(info))[0]
    ink = theme.INKS[mode]
    marker = {
        "color": style.color,
        "symbol": style.symbol,
        "size": _diameters(info, points),
        "opacity": 0.85,
        "line": {"color": ink.ground, "width": 1},
    }
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": points[0].framework,
        "marker": marker,
        "x": [p.x for p in points],
        "y": [p.quality.value / divisor for p in points],
        "error_y": _bars([p.quality for p in points], divisor, style.color),
        "text": [p.name for p in points],
        "textposition": [_side(info, p) for p in points],
        "textfont": {"size": 12, "color": ink.text},
        "cliponaxis": False,
        "customdata": [[p.model] for p in points],
        "hovertext": [_hover(info, p) for p in points],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _side(info: ArchitecturesInfo, point: Architecture) -> str:
    """Return the side of a model's name, below the marker: to its left if the next model is close
    on its right.
    """
    later = [p.x for p in info.points[info.points.index(point) + 1 :]]
    return "bottom left" if later and later[0] < CLOSE * point.x else "bottom right"


def _diameters(info: ArchitecturesInfo, points: Sequence[Architecture]) -> list[float]:
    """Return marker diameters in pixels; the area grows with the file."""
    largest = max(p.size_bytes for p in info.points)
    return [
        round(SMALLEST + (LARGEST - SMALLEST) * math.sqrt(p.size_bytes / largest), 1)
        for p in points
    ]


def _bars(values: Sequence[Measurement], divisor: float, color: str) -> dict[str, Any]:
    above = [(m.value if m.high is None else m.high) - m.value for m in values]
    below = [m.value - (m.value if m.low is None else m.low) for m in values]
    return {
        "type": "data",
        "symmetric": False,
        "array": [a / divisor for a in above],
        "thickness": 1.5,
        "width": 4,
        "arrayminus": [b / divisor for b in below],
        "color": f"rgba({theme.rgb(color)},0.6)",
    }


def _hover(info: ArchitecturesInfo, p: Architecture) -> str:
    lines = [
        f"{info.metric}: {formatting.measurement(p.quality)}",
        f"File: {formatting.value(p.size_bytes, 'B')}",
        f"Parameters: {formatting.count(p.parameters)}",
        f"MACs per item: {formatting.count(p.macs)}",
    ]
    return "<br>".join([f"<b>{escape(p.name)}</b> ({escape(p.framework)})", *lines])
