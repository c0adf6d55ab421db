"""Sensitivity of layers as a plot and as a table: ordered by harm, or in network order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from lab.analysis.sensitivity import LayerSensitivity, Sensitivity
from lab.plots import formatting, theme
from lab.types import Measurement

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["harm", "graph"]
ROW_PX, FRAME_PX, LONGEST_LABEL = 19, 96, 34
TICKS = tuple(digit * 10.0**power for power in range(-5, 3) for digit in (1, 3))
SMALLEST = 1e-4
"""Percentage at which error bars end, because the axis is logarithmic."""


@dataclass(frozen=True)
class Row:
    """One layer of the plot; shares in percent, accuracy in points.

    Attributes:
        noise: error of the output with this layer alone quantized; recovered: part of the recipe's
            error that goes where this layer is left in float.
        change, low, high: of the accuracy with this layer alone quantized, with its 95 % interval.
    """

    id: str
    label: str
    noise: float | None
    recovered: float | None
    change: float | None
    low: float | None
    high: float | None


def in_order(sensitivity: Sensitivity, order: Order) -> list[LayerSensitivity]:
    """Return the layers in the order shown: the most harmful first, or in network order."""
    layers = list(sensitivity.layers)
    return layers if order == "harm" else sorted(layers, key=lambda layer: layer.group.position)


def sensitivity_info(sensitivity: Sensitivity, order: Order = "harm") -> tuple[Row, ...]:
    """Return the rows of the plot, top first."""
    return tuple(_row(layer) for layer in in_order(sensitivity, order))


def _row(layer: LayerSensitivity) -> Row:
    accuracy = layer.accuracy
    points = (
        [None if v is None else 100 * v for v in (accuracy.value, accuracy.low, accuracy.high)]
        if accuracy
        else [None] * 3
    )
    return Row(
        layer.group.name,
        layer.group.label,
        _percent(layer.noise),
        _percent(layer.recovered),
        *points,
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def height_of(rows: Sequence[Row]) -> int:
    """Return the height of the figure in pixels."""
    return FRAME_PX + ROW_PX * max(len(rows), 4)


def sensitivity_figure(rows: Sequence[Row], mode: theme.Mode = "light") -> Any:
    """Draw bars of the error of each layer alone, beside its change of accuracy with its interval;
    one row per layer.
    """
    import plotly.graph_objects as go

    labels = [_short(row.label) for row in rows]
    names = list(range(len(rows)))
    ids = [[row.id] for row in rows]
    texts = [_hover(row) for row in rows]
    blue, orange = (
        theme.OKABE_ITO[0] if mode == "light" else theme.DARK_BLUE_FOR_DARK,
        theme.OKABE_ITO[1],
    )
    common = {"y": names, "customdata": ids, "hovertext": texts, "hoverinfo": "text"}
    bars = go.Bar(
        x=[max(r.noise or 0.0, SMALLEST) for r in rows],
        orientation="h",
        name="output error if only this layer is quantized",
        marker={"color": blue},
        **common,
    )
    dots = go.Scatter(
        x=[r.change for r in rows],
        mode="markers",
        name="accuracy change if only this layer is quantized",
        xaxis="x2",
        marker={"color": orange, "size": [8.0] * len(rows), "symbol": "diamond"},
        error_x=_bars(rows, orange),
        **common,
    )
    figure = go.Figure([dots, bars])  # the ring around what is chosen is of the first one's kind
    figure.update_layout(
        template=theme.template(mode),
        height=height_of(rows),
        barmode="overlay",
        hovermode="closest",
    )
    figure.update_xaxes(
        title="error, % of output power",
        type="log",
        domain=[0, 0.55],
        tickvals=TICKS,
        ticktext=[f"{t:g}" for t in TICKS],
    )
    figure.update_layout(
        xaxis2={"title": "accuracy, points", "domain": [0.6, 1], "anchor": "y", "zeroline": True},
        yaxis={
            "tickvals": names,
            "ticktext": labels,
            "autorange": "reversed",
            "title": "",
            "range": [len(rows) - 0.5, -0.5],
        },
        legend={"y": 1.0 + 26 / height_of(rows)},
    )
    return figure


def _bars(rows: Sequence[Row], color: str) -> dict[str, Any]:
    up = [(r.high - r.change) if r.high is not None and r.change is not None else 0.0 for r in rows]
    down = [(r.change - r.low) if r.low is not None and r.change is not None else 0.0 for r in rows]
    return {
        "type": "data",
        "symmetric": False,
        "array": up,
        "arrayminus": down,
        "color": color,
        "thickness": 1,
        "width": 3,
    }


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else "…" + label[1 - LONGEST_LABEL :]


def _hover(row: Row) -> str:
    parts = [f"<b>{row.label}</b>"]
    if row.noise is not None:
        parts.append(f"only this layer: {row.noise:.3g} % error")
    if row.change is not None and row.low is not None and row.high is not None:
        parts.append(f"accuracy {row.change:+.2f} points ({row.low:+.2f} to {row.high:+.2f})")
    if row.recovered is not None:
        parts.append(f"kept in float: removes {row.recovered:.0f} % of the recipe's error")
    return "<br>".join(parts)


def sensitivity_rows(sensitivity: Sensitivity, order: Order = "harm") -> list[dict[str, str]]:
    """Return the layers as text, one dict each, for the command line."""
    return [_text(layer) for layer in in_order(sensitivity, order)]


def _text(layer: LayerSensitivity) -> dict[str, str]:
    alone, left = layer.alone, layer.left_out
    return {
        "layer": layer.group.label,
        "in the file": layer.group.name,
        "type": layer.group.type,
        "alone: SQNR": _measured(alone, "sqnr_db"),
        "KL": _measured(alone, "kl_divergence"),
        "agreement": _measured(alone, "agreement"),
        "accuracy": _points(layer.accuracy),
        "kept in float: SQNR": _measured(left, "sqnr_db"),
        "error removed": (
            formatting.UNKNOWN if layer.recovered is None else f"{100 * layer.recovered:.0f} %"
        ),
        "accuracy gain": (
            formatting.UNKNOWN if layer.won_back is None else f"{100 * layer.won_back:+.1f} points"
        ),
        "bytes saved": (
            formatting.value(layer.size_bytes, "B")
            if layer.size_bytes is not None
            else formatting.UNKNOWN
        ),
        "time": formatting.UNKNOWN if layer.latency_s is None else _signed(layer.latency_s),
    }


def _measured(measurements: Mapping[str, Measurement], metric: str) -> str:
    return (
        formatting.value(measurements[metric].value, measurements[metric].unit)
        if metric in measurements
        else formatting.UNKNOWN
    )


def _points(m: Measurement | None) -> str:
    if m is None or m.low is None or m.high is None:
        return formatting.UNKNOWN
    return f"{100 * m.value:+.1f} ({100 * m.low:+.1f} to {100 * m.high:+.1f})"


def _signed(seconds: float) -> str:
    return ("+" if seconds >= 0 else "−") + formatting.value(abs(seconds), "s")


def sensitivity_table(sensitivity: Sensitivity, order: Order = "harm") -> pd.DataFrame:
    """Return one row per layer with sortable numbers, for the table beside the plot."""
    import pandas as pd

    return pd.DataFrame([_numbers(layer) for layer in in_order(sensitivity, order)])


def _numbers(layer: LayerSensitivity) -> dict[str, object]:
    alone, left = layer.alone, layer.left_out
    return {
        "Layer": layer.group.label,
        "Type": layer.group.type,
        "Error alone, %": _percent(layer.noise),
        "SQNR alone, dB": _value(alone, "sqnr_db"),
        "KL alone": _value(alone, "kl_divergence"),
        "Agreement alone, %": _value(alone, "agreement", 100),
        "Accuracy alone, points": _value(alone, "accuracy_change", 100),
        "95 % interval": _interval(layer.accuracy),
        "Error removed in float, %": _percent(layer.recovered),
        "SQNR in float, dB": _value(left, "sqnr_db"),
        "Accuracy gain in float, points": None if layer.won_back is None else 100 * layer.won_back,
        "Bytes saved": layer.size_bytes,
        "Time in float, µs": None if layer.latency_s is None else 1e6 * layer.latency_s,
        "In the file": layer.group.name,
    }


def _value(
    measurements: Mapping[str, Measurement], metric: str, scale: float = 1.0
) -> float | None:
    return scale * measurements[metric].value if metric in measurements else None


def _interval(m: Measurement | None) -> str:
    if m is None or m.low is None or m.high is None:
        return ""
    return f"{100 * m.low:+.2f} to {100 * m.high:+.2f}"


def sensitivity_json(sensitivity: Sensitivity) -> dict[str, Any]:
    """Return all values as JSON."""
    layers = [
        {
            **asdict(layer.group),
            "noise": layer.noise,
            "recovered": layer.recovered,
            "size_bytes": layer.size_bytes,
            "latency_s": layer.latency_s,
            "won_back": layer.won_back,
            "alone": {k: m.to_json() for k, m in layer.alone.items()},
            "left_out": {k: m.to_json() for k, m in layer.left_out.items()},
        }
        for layer in sensitivity.layers
    ]
    return {"layers": layers, "whole": sensitivity.whole.to_json() if sensitivity.whole else None}
