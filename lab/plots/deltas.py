"""Differences from one trial, number by number: as a forest plot and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from lab.analysis.deltas import Delta
from lab.analysis.differences import Difference
from lab.plots import formatting, theme
from lab.plots.table import ordered_metrics
from lab.plots.words import certain
from lab.plugs import Metric
from lab.types import Trial

Kind = Literal["change", "ratio"]
AXES: Mapping[Kind, str] = {
    "change": "difference from {} in points",
    "ratio": "ratio to {}, log scale",
}
LETTERS = "ABCD"
ROW_PX, LINE_PX, FRAME_PX = 12, 14, 100
RATIO_TICKS = tuple(d * 10.0**p for p in range(-4, 5) for d in (1, 2, 5))


def column(index: int, trial: Trial) -> str:
    """Return the name of a trial in a comparison: "A · float32"."""
    return f"{LETTERS[index]} · {trial.name}"


def color(index: int, mode: theme.Mode = "light") -> str:
    """Return a trial's colour by its place."""
    return theme.DARK_BLUE_FOR_DARK if index == 0 and mode == "dark" else theme.OKABE_ITO[index]


@dataclass(frozen=True)
class ForestRow:
    """One metric of one trial; numbers as the axis shows them, `text` for the hover."""

    trial: str
    place: int
    value: float
    low: float | None
    high: float | None
    differs: bool
    text: str


@dataclass(frozen=True)
class ForestInfo:
    """Values of one panel of the forest plot.

    Attributes:
        labels: of the metrics, top first; an arrow says which way is better.
        names: (trial id, name) in their order, the reference left out.
        first: place of the first of them among the compared trials, for its colour.
    """

    kind: Kind
    labels: tuple[str, ...]
    rows: tuple[ForestRow, ...]
    names: tuple[tuple[str, str], ...]
    reference: str
    first: int = 1


def forest_info(
    deltas: Sequence[Delta],
    metrics: Mapping[str, Metric],
    names: Sequence[tuple[str, str]],
    reference: str,
    kind: Kind,
) -> ForestInfo:
    """Lay out the differences of one kind.

    Args:
        names: (id, name) of the trials that are compared with the reference.
    """
    shown = [d for d in deltas if d.kind == kind]
    ids = list(dict.fromkeys(d.metric for d in shown))
    labels = tuple(
        f"{metrics[id_].title} {'↑' if metrics[id_].direction == 'maximize' else '↓'}"
        for id_ in ids
    )
    rows = tuple(
        _row(d, ids.index(d.metric), metrics[d.metric].title, dict(names)[d.trial]) for d in shown
    )
    return ForestInfo(kind, labels, rows, tuple(names), reference)


def _row(d: Delta, place: int, title: str, name: str) -> ForestRow:
    scale = 100.0 if d.kind == "change" else 1.0
    low, high = (None if v is None else scale * v for v in (d.low, d.high))
    suffix = "points" if d.kind == "change" else "×"
    number = f"{scale * d.value:+.2f}" if d.kind == "change" else formatting.digits(d.value)
    between = (
        ""
        if low is None or high is None
        else f" (95 %: {_number(low, d.kind)} to {_number(high, d.kind)})"
    )
    verdict = "differs" if d.differs else "equal" if d.better is None else "may be chance"
    text = f"<b>{escape(name)}</b><br>{escape(title)}: {number} {suffix}{between}<br>{verdict}"
    return ForestRow(d.trial, place, scale * d.value, low, high, d.differs, text)


def _number(value: float, kind: Kind) -> str:
    return f"{value:+.2f}" if kind == "change" else formatting.digits(value)


def height_of(info: ForestInfo) -> int:
    """Return the height of the figure in pixels."""
    return FRAME_PX + (ROW_PX + LINE_PX * len(info.names)) * max(len(info.labels), 2)


def forest_spec(info: ForestInfo, mode: theme.Mode = "light") -> dict[str, Any]:
    """Draw a point with its interval for each metric and trial; hollow if the difference may be
    chance.
    """
    ink = theme.INKS[mode]
    neutral = 0.0 if info.kind == "change" else 1.0
    line = {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": neutral,
        "x1": neutral,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": ink.muted, "width": 1, "dash": "dot"},
    }
    return {
        "data": [_trace(info, n, id_, name, mode) for n, (id_, name) in enumerate(info.names)],
        "layout": {
            "template": theme.template(mode).to_plotly_json(),
            "height": height_of(info),
            "hovermode": "closest",
            "xaxis": {"title": {"text": AXES[info.kind].format(info.reference)}, **_x(info)},
            "shapes": [line],
            "yaxis": {
                "tickvals": list(range(len(info.labels))),
                "ticktext": [escape(x) for x in info.labels],
                "showgrid": False,
                "range": [max(len(info.labels), 1) - 0.5, -0.5],
            },
            "legend": {"y": 1.0 + 26 / height_of(info)},
            "showlegend": len(info.names) > 1,
        },
    }


def _x(info: ForestInfo) -> dict[str, Any]:
    if info.kind == "change":
        return {"zeroline": False}
    ends = [v for r in info.rows for v in (r.value, r.low, r.high) if v]
    low, high = min([1.0, *ends]) / 1.15, max([1.0, *ends]) * 1.15
    shown = [t for t in RATIO_TICKS if low <= t <= high]
    return {"type": "log", "tickvals": shown, "ticktext": [f"{t:g}×" for t in shown]}


def _trace(info: ForestInfo, number: int, id_: str, name: str, mode: theme.Mode) -> dict[str, Any]:
    rows = [r for r in info.rows if r.trial == id_]
    ink, tint = theme.INKS[mode], color(info.first + number, mode)
    shift = 0.56 * ((number + 0.5) / len(info.names) - 0.5)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(name),
        "x": [r.value for r in rows],
        "y": [r.place + shift for r in rows],
        "marker": {
            "size": 10,
            "symbol": theme.SYMBOLS[info.first + number],
            "color": [tint if r.differs else ink.ground for r in rows],
            "line": {"width": 2, "color": tint},
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [(r.high or r.value) - r.value if r.high is not None else 0 for r in rows],
            "arrayminus": [r.value - r.low if r.low is not None else 0 for r in rows],
            "color": tint,
            "thickness": 1.5,
            "width": 3,
        },
        "hovertext": [r.text for r in rows],
        "hoverinfo": "text",
    }


def delta_rows(
    trials: Sequence[Trial],
    metrics: Mapping[str, Metric],
    differences: Mapping[str, Mapping[str, Difference]],
) -> list[dict[str, str]]:
    """Return one row per metric: the first trial's value, then the value and difference of each
    other trial; "≈" marks a difference that may be chance.

    Args:
        trials: the reference first.
        differences: corrected differences, see `lab.analysis.deltas.corrected`.
    """
    reference, others = trials[0], list(enumerate(trials))[1:]
    rows = []
    for id_ in ordered_metrics(trials, metrics):
        if id_ not in metrics or metrics[id_].about_both or id_ not in reference.measurements:
            continue
        mine = reference.measurements[id_]
        row = {
            "Metric": metrics[id_].title,
            column(0, reference): formatting.value(mine.value, mine.unit),
        }
        for n, t in others:
            row[column(n, t)] = _cell(id_, t, reference, differences)
        rows.append(row)
    return rows


def _cell(
    metric: str, trial: Trial, reference: Trial, differences: Mapping[str, Mapping[str, Difference]]
) -> str:
    if metric not in trial.measurements:
        return formatting.UNKNOWN
    m, base = trial.measurements[metric], reference.measurements[metric]
    change = formatting.change(m, base, plainly=True)
    sure = change == "no change" or certain(metric, trial, reference, differences.get(trial.id))
    return f"{formatting.value(m.value, m.unit)} · {change}{'' if sure else ' ≈'}"
