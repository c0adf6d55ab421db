"""Roofline of the machine: the highest speed of an operator by its operations per byte moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from lab.evidence import Roofline
from lab.plots import formatting, theme

HEIGHT = 340
LEAST, MOST = 0.03, 3e3
"""Operations for each byte, from adding vectors to products of large matrices."""
SHOWN = (16_000, 1_000_000, 64_000_000)
"""Bytes that are worked on: the nearest cache, a farther one, memory."""


@dataclass(frozen=True)
class Roof:
    """One line of the plot.

    Attributes:
        points: (operations for each byte, operations a second).
        fades: True for what is bounded by bandwidth.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    fades: bool


def roofline_info(roofline: Roofline) -> tuple[Roof, ...]:
    """Slopes of the bandwidths, from the left up to the highest roof, and flat roofs of the rates,
    from the steepest slope on.

    Returns:
        the slopes, the smallest size first, then the roofs, the highest first.
    """
    highest = max(roofline.flops.values())
    bandwidths = [(f"on {_bytes(size)}", roofline.bandwidth(size)) for size in SHOWN]
    steepest = max(b for _, b in bandwidths)
    slopes = [
        Roof(f"{name}: {_rate(b, 'B')}", ((LEAST, LEAST * b), (highest / b, highest)), True)
        for name, b in bandwidths
    ]
    roofs = [
        Roof(
            f"{name}: {_rate(rate, 'FLOP' if 'float' in name else 'OP')}",
            ((rate / steepest, rate), (MOST, rate)),
            False,
        )
        for name, rate in sorted(roofline.flops.items(), key=lambda f: -f[1])
    ]
    return (*slopes, *roofs)


def _bytes(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB"


def _rate(per_s: float, unit: str) -> str:
    divisor, prefix = (1e12, "T") if per_s >= 1e12 else (1e9, "G")
    return f"{formatting.digits(per_s / divisor)} {prefix}{unit}/s"


def roofline_figure(roofline: Roofline, mode: theme.Mode = "light") -> Any:
    """Draw it, both axes logarithmic."""
    import plotly.graph_objects as go

    palette = (
        theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0],
        *theme.OKABE_ITO[1:],
    )
    figure, ink = go.Figure(), theme.INKS[mode]
    drawn: Sequence[Roof] = roofline_info(roofline)
    for number, roof in enumerate(drawn):
        x, y = zip(*roof.points, strict=True)
        line = {
            "color": palette[number % len(palette)],
            "dash": "dash" if roof.fades else "solid",
            "width": 2,
        }
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            name=roof.name,
            line=line,
            hovertemplate=f"{roof.name}<extra></extra>",
        )
    figure.update_layout(template=theme.template(mode), height=HEIGHT)
    figure.update_xaxes(title="Operations per byte moved", type="log", color=ink.text, dtick=1)
    lowest, highest = (f(y for roof in drawn for _, y in roof.points) for f in (min, max))
    figure.update_yaxes(
        title="Operations per second",
        type="log",
        color=ink.text,
        exponentformat="SI",
        dtick=1,
        range=[log10(lowest / 1.5), log10(highest * 1.5)],
    )
    return figure
