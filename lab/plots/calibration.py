"""Effects of calibration: accuracy over the number of items, seeds as dots, calibration without
data marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.analysis.calibration import Calibrations, Spread
from lab.plots import formatting, theme
from lab.types import Measurement

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 320
WORDS = {"data": "data", "noise": "noise, no data", "batch_norm": "batch-norm statistics, no data"}
SYMBOLS = {"data": "circle", "noise": "x", "batch_norm": "diamond-open"}


@dataclass(frozen=True)
class CalibrationInfo:
    """The plot's numbers, in percent.

    Attributes:
        dots: source -> (trial, samples, seed, value, low, high).
        means: (samples, mean over seeds) of calibration with data, where there are several numbers
            of items.
        float_value: the float model's, None where it is not known.
    """

    dots: dict[str, tuple[tuple[str, int, int, float, float, float], ...]]
    means: tuple[tuple[int, float], ...]
    float_value: float | None
    noun: str


def calibration_info(
    calibrated: Calibrations, baseline: Measurement | None, noun: str
) -> CalibrationInfo:
    """Lay out the calibrations of one recipe."""
    dots: dict[str, list[tuple[str, int, int, float, float, float]]] = {}
    for p in calibrated.points:
        m = p.measurement
        low, high = (m.value if v is None else v for v in (m.low, m.high))
        dots.setdefault(p.source, []).append(
            (p.trial, p.samples, p.seed, 100 * m.value, 100 * low, 100 * high)
        )
    values: dict[int, list[float]] = {}
    for _, samples, _, value, _, _ in dots.get("data", ()):
        values.setdefault(samples, []).append(value)
    means = tuple((n, sum(v) / len(v)) for n, v in sorted(values.items()))
    return CalibrationInfo(
        {k: tuple(v) for k, v in dots.items()},
        means if len(means) > 1 else (),
        100 * baseline.value if baseline else None,
        noun,
    )


def calibration_figure(info: CalibrationInfo, mode: theme.Mode = "light") -> Any:
    """Draw the dots with their intervals, the means over seeds, and the float model's level."""
    import plotly.graph_objects as go

    figure, ink = go.Figure(), theme.INKS[mode]
    colors = dict(
        zip(
            WORDS,
            (
                theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0],
                *theme.OKABE_ITO[1:],
            ),
            strict=False,
        )
    )
    if info.means:
        figure.add_scatter(
            x=[n for n, _ in info.means],
            y=[v for _, v in info.means],
            mode="lines",
            name="mean over seeds",
            line={"color": colors["data"], "width": 1.5},
            hoverinfo="skip",
        )
    for source, dots in info.dots.items():
        figure.add_scatter(
            x=[d[1] for d in dots],
            y=[d[3] for d in dots],
            mode="markers",
            name=WORDS.get(source, source),
            customdata=[[d[0]] for d in dots],
            marker={
                "color": colors.get(source),
                "symbol": SYMBOLS.get(source),
                "size": [9.0] * len(dots),
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [d[5] - d[3] for d in dots],
                "arrayminus": [d[3] - d[4] for d in dots],
                "thickness": 1,
                "width": 3,
            },
            hovertext=[
                f"{d[1]} items, seed {d[2]}: {d[3]:.1f} % ({d[4]:.1f}–{d[5]:.1f} %)" for d in dots
            ],
            hoverinfo="text",
        )
    if info.float_value is not None:
        figure.add_hline(
            y=info.float_value,
            line={"color": ink.muted, "dash": "dash", "width": 1},
            annotation_text="float",
            annotation_font={"color": ink.muted},
        )
    ticks = sorted({d[1] for dots in info.dots.values() for d in dots})
    figure.update_layout(
        template=theme.template(mode),
        height=HEIGHT,
        hovermode="closest",
        xaxis={
            "type": "log",
            "title": "calibration items",
            "tickvals": ticks,
            "ticktext": [str(n) for n in ticks],
        },
        yaxis={"title": f"{info.noun}, %"},
    )
    return figure


def calibration_table(calibrated: Calibrations) -> pd.DataFrame:
    """Return one row per calibration."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "Items": p.samples,
                "From": WORDS.get(p.source, p.source),
                "Seed": p.seed,
                "Value": formatting.value(p.measurement.value, p.measurement.unit),
                "95 % interval": formatting.interval(p.measurement),
            }
            for p in calibrated.points
        ]
    )


def spread_words(spreads: Sequence[Spread]) -> str:
    """Describe the spread over seeds: "128 items from data, 4 seeds: 93.1 to 93.6 %, 0.5 points
    apart".
    """
    texts = [
        f"{s.samples} items from {WORDS.get(s.source, s.source)}, {s.seeds} seeds:"
        f" {100 * s.low:.1f} to {100 * s.high:.1f} %, {100 * (s.high - s.low):.1f} points apart"
        for s in spreads
    ]
    return "; ".join(texts)
