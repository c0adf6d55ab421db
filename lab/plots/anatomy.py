"""Contents of a model file as a plot and as tables: bytes by part, and the largest layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.evidence import Anatomy, OperatorFacts
from lab.plots import formatting, theme

MOST_LAYERS, LONGEST_LABEL = 12, 34
ROW_PX, FRAME_PX = 19, 96
TITLES = {
    "weights": "weights",
    "embeddings": "embedding tables",
    "scales": "scales and zero points",
    "constants": "shapes, indices, tables",
    "structure": "graph, names, metadata",
}


@dataclass(frozen=True)
class Bar:
    """One bar of the plot.

    Attributes:
        share: of the file, in percent; text: the tooltip.
        is_layer: False for a part of the whole file.
    """

    label: str
    share: float
    text: str
    is_layer: bool


def size_rows(anatomy: Anatomy) -> list[dict[str, Any]]:
    """Return the parts of the file as a table, the largest first: name, bytes, share of the file (0
    … 1).
    """
    parts = sorted(anatomy.parts.items(), key=lambda item: -item[1])
    return [
        {"part": TITLES.get(name, name), "bytes": size, "share": size / max(anatomy.size_bytes, 1)}
        for name, size in parts
    ]


def size_texts(anatomy: Anatomy) -> list[dict[str, str]]:
    """Return the parts as text, without empty ones."""
    return [
        {
            "Part": row["part"],
            "Bytes": f"{row['bytes']:,}",
            "Share": formatting.value(row["share"], "1"),
        }
        for row in size_rows(anatomy)
        if row["bytes"]
    ]


def layer_rows(anatomy: Anatomy, most: int | None = None) -> list[dict[str, Any]]:
    """Return the layers with weights as a table, the largest first: type, numbers, bytes, share of
    the file, zeros and saturated values.
    """
    storing = sorted((o for o in anatomy.operators if o.weights), key=lambda o: -o.weight_bytes)
    return [_layer(operator, anatomy.size_bytes) for operator in storing[:most]]


def _layer(operator: OperatorFacts, size: int) -> dict[str, Any]:
    return {
        "layer": operator.name,
        "type": operator.type,
        "stored as": operator.weight_dtype,
        "weights": operator.weights,
        "bytes": operator.weight_bytes,
        "share": operator.weight_bytes / max(size, 1),
        "zeros": operator.zeros / operator.weights,
        "at the ends": operator.saturated,
        "computes in": operator.precision,
        "multiplications": operator.macs,
    }


def anatomy_info(anatomy: Anatomy) -> tuple[Bar, ...]:
    """Return the bars of the plot, top first: the parts of the file, then the largest layers."""
    parts = [
        Bar(row["part"], 100 * row["share"], _part_text(row), False)
        for row in size_rows(anatomy)
        if row["bytes"]
    ]
    layers = [
        Bar(row["layer"], 100 * row["share"], _layer_text(row), True)
        for row in layer_rows(anatomy, MOST_LAYERS)
    ]
    return (*parts, *layers)


def _part_text(row: dict[str, Any]) -> str:
    return (
        f"<b>{row['part']}</b><br>{formatting.value(row['bytes'], 'B')},"
        f" {formatting.value(row['share'], '1')} of the file"
    )


def _layer_text(row: dict[str, Any]) -> str:
    lines = [
        f"<b>{row['layer']}</b> ({row['type']})",
        f"{formatting.value(row['bytes'], 'B')}, {formatting.value(row['share'], '1')} of the file",
        f"{formatting.count(row['weights'])} weights stored as {row['stored as']}",
        f"{formatting.value(row['zeros'], '1')} are zero",
    ]
    ends = row["at the ends"]
    return "<br>".join(
        [
            *lines,
            *(
                []
                if ends is None
                else [f"{formatting.value(ends, '1')} are at the limits of their range"]
            ),
        ]
    )


def height_of(bars: Sequence[Bar]) -> int:
    """Return the height of the figure in pixels."""
    return FRAME_PX + ROW_PX * max(len(bars), 4)


def anatomy_figure(bars: Sequence[Bar], mode: theme.Mode = "light") -> Any:
    """Draw bars of the file's parts and, below them, of its largest layers; all in percent of the
    file.
    """
    import plotly.graph_objects as go

    blue = theme.OKABE_ITO[0] if mode == "light" else theme.DARK_BLUE_FOR_DARK
    looks = (
        ("parts of the file", False, blue),
        ("largest layers", True, theme.OKABE_ITO[1]),
    )
    figure = go.Figure(
        [
            _trace(name, bars, layer, color)
            for name, layer, color in looks
            if any(b.is_layer == layer for b in bars)
        ]
    )
    figure.update_layout(
        template=theme.template(mode),
        height=height_of(bars),
        barmode="overlay",
        hovermode="closest",
        xaxis={"title": {"text": "share of the file, %"}, "rangemode": "tozero"},
        yaxis={
            "tickvals": list(range(len(bars))),
            "ticktext": [_short(bar.label) for bar in bars],
            "title": "",
            "range": [len(bars) - 0.5, -0.5],
        },
        legend={"y": 1.0 + 26 / height_of(bars)},
    )
    return figure


def _trace(name: str, bars: Sequence[Bar], layer: bool, color: str) -> dict[str, Any]:
    mine = [(place, bar) for place, bar in enumerate(bars) if bar.is_layer == layer]
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [bar.share for _, bar in mine],
        "y": [place for place, _ in mine],
        "hovertext": [bar.text for _, bar in mine],
        "hoverinfo": "text",
        "marker": {"color": color},
    }


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else "…" + label[1 - LONGEST_LABEL :]
