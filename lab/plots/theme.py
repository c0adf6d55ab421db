"""Visual style: colours that colour-blind people can distinguish, marker shapes, a light and a dark
template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal

Mode = Literal["light", "dark"]

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""M. Okabe, K. Ito: Color Universal Design, 2008; without black and yellow, since each vanishes in
one mode.
"""

DARK_BLUE_FOR_DARK = "#3D9BD9"
"""Stands for Okabe-Ito's blue on a dark ground, where the original has a contrast below 3."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")


@dataclass(frozen=True)
class Ink:
    """The colours of a mode."""

    text: str
    muted: str
    grid: str
    ground: str


INKS: Mapping[Mode, Ink] = {
    "light": Ink("#1F2933", "#5B6770", "#E4E7EB", "#FFFFFF"),
    "dark": Ink("#E6EAF0", "#A3AEBB", "#2C3440", "#12161C"),
}


def dark_for_light() -> dict[str, str]:
    """Return light colour -> dark colour: replaced in the JSON of a light figure, they give that of
    the dark one.

    A page may so follow a change of theme without asking for the figure again.
    """
    light, dark = (INKS[mode] for mode in ("light", "dark"))
    inks = {getattr(light, f.name): getattr(dark, f.name) for f in fields(Ink)}
    return {**inks, OKABE_ITO[0]: DARK_BLUE_FOR_DARK, rgb(OKABE_ITO[0]): rgb(DARK_BLUE_FOR_DARK)}


def rgb(color: str) -> str:
    """Return a colour as `rgba()` takes it: "#0072B2" -> "0,114,178"."""
    return ",".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))


@dataclass(frozen=True)
class Style:
    """Colour and marker shape of a name."""

    color: str
    symbol: str


def styles(names: Iterable[str], mode: Mode = "light") -> dict[str, Style]:
    """Return a colour and a shape for every name, in sorted order, so that a name keeps its own."""
    palette = (DARK_BLUE_FOR_DARK, *OKABE_ITO[1:]) if mode == "dark" else OKABE_ITO
    return {
        n: Style(palette[i % len(palette)], SYMBOLS[i % len(SYMBOLS)])
        for i, n in enumerate(sorted(set(names)))
    }


@cache
def template(mode: Mode) -> Any:
    """Return the Plotly template of a mode; its background is clear, so that a figure fits any
    page.
    """
    import plotly.graph_objects as go

    ink = INKS[mode]
    axis = {
        "gridcolor": ink.grid,
        "zeroline": False,
        "linecolor": ink.grid,
        "ticks": "outside",
        "tickcolor": ink.grid,
        "automargin": True,
        "title": {"font": {"size": 13, "color": ink.muted}},
    }
    return go.layout.Template(
        layout={
            "font": {
                "family": "Source Sans, Source Sans Pro, system-ui, sans-serif",
                "size": 13,
                "color": ink.text,
            },
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
            "hoverlabel": {"align": "left"},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": ink.muted, "activecolor": ink.text},
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"size": 12},
            },
        }
    )


CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "showSendToCloud": False,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
"""Plotly's settings for every chart: no upload button, no logo, wheel scrolls the page."""
