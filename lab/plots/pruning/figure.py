"""Plots of accuracy, size and time over the share of weights that were pruned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.plots import theme
from lab.plots.pruning.info import COSTS, Curve, PruningInfo

HEIGHT, SMALL = 380, 300
SYMBOLS = {"structured": "square", "unstructured": "circle"}


def pruning_figure(info: PruningInfo, mode: theme.Mode = "light") -> Any:
    """Draw accuracy over the share of pruned weights: squares for channels, dots for single
    weights, dashed without fine-tuning.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        layout=_layout(mode, HEIGHT, f"{info.noun.lower() if info.noun != 'AUC' else info.noun}, %")
    )
    if info.baseline:
        for trace in _band(info.baseline, theme.INKS[mode].muted):
            figure.add_trace(trace)
    for curve in info.curves:
        figure.add_trace(_trace(curve, mode))
    return figure


def _layout(mode: theme.Mode, height: int, y: str) -> dict[str, Any]:
    return {
        "template": theme.template(mode),
        "height": height,
        "hovermode": "closest",
        "xaxis": {"title": {"text": "pruned weights, %"}, "range": [-2, 101]},
        "yaxis": {"title": {"text": y}},
    }


def _band(baseline: tuple[float, float, float], color: str) -> Iterator[dict[str, Any]]:
    value, low, high = baseline
    line = {"type": "scatter", "mode": "lines", "x": [-2, 101], "hoverinfo": "skip"}
    yield line | {"y": [low, low], "line": {"width": 0}, "showlegend": False}
    yield line | {
        "y": [high, high],
        "line": {"width": 0},
        "fill": "tonexty",
        "fillcolor": f"rgba({theme.rgb(color)},0.15)",
        "showlegend": False,
    }
    yield line | {
        "y": [value, value],
        "name": "float model",
        "line": {"color": color, "width": 1, "dash": "dot"},
    }


def _trace(curve: Curve, mode: theme.Mode) -> dict[str, Any]:
    ids, x, y, low, high = zip(*curve.points, strict=True)
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [h - v for h, v in zip(high, y, strict=True)],
        "arrayminus": [v - b for v, b in zip(y, low, strict=True)],
        "thickness": 1,
        "width": 3,
        "color": _color(curve, mode),
    }
    return _line(curve, mode) | {
        "x": x,
        "y": y,
        "customdata": [[id_] for id_ in ids],
        "hovertext": curve.texts,
        "hoverinfo": "text",
        "error_y": bars,
    }


def _line(curve: Curve, mode: theme.Mode) -> dict[str, Any]:
    color = _color(curve, mode)
    symbol = SYMBOLS[curve.way] + ("" if curve.tuned else "-open")
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": curve.name,
        "line": {
            "color": color,
            "width": 2 if curve.tuned else 1.5,
            "dash": "solid" if curve.tuned else "dash",
        },
        "marker": {"color": color, "symbol": symbol, "size": [9.0] * len(curve.points)},
    }


def _color(curve: Curve, mode: theme.Mode) -> str:
    blue = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    return blue if curve.way == "structured" else theme.OKABE_ITO[1]


def cost_figure(info: PruningInfo, metric: str, mode: theme.Mode = "light") -> Any:
    """Draw one cost over the share of pruned weights, in percent of the float model; fine-tuning
    changes neither file nor time.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        layout=_layout(mode, SMALL, f"{COSTS[metric]}, % of float") | {"showlegend": False}
    )
    figure.add_trace(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [-2, 101],
            "y": [100, 100],
            "hoverinfo": "skip",
            "line": {"color": theme.INKS[mode].muted, "width": 1, "dash": "dot"},
        }
    )
    for curve in info.curves:
        if curve.costs[metric]:
            x, y = zip(*curve.costs[metric], strict=True)
            figure.add_trace(
                _line(curve, mode)
                | {
                    "x": x,
                    "y": y,
                    "hovertemplate": f"{curve.name}: %{{y:.0f}} %<extra></extra>",
                }
            )
    figure.update_yaxes(rangemode="tozero")
    return figure
