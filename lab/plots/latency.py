"""Raw timings of a latency: every run of every round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.plots import formatting, theme
from lab.types import Measurement

HEIGHT = 300
WEBGL_FROM = 2000


@dataclass(frozen=True)
class LatencyInfo:
    """Runs in the order in which they ran, in `suffix` units; one entry a run.

    Attributes:
        calm, contended: (run number, time) of the timed runs of quiet and of disturbed rounds.
        warmup: (run number, time) of runs that are not counted.
        starts: run number at which each round starts.
        note: summary of the plot in a sentence.
    """

    calm: tuple[tuple[int, float], ...]
    contended: tuple[tuple[int, float], ...]
    warmup: tuple[tuple[int, float], ...]
    starts: tuple[int, ...]
    suffix: str
    median: float | None
    low: float | None
    high: float | None
    note: str


def latency_info(
    rounds: Sequence[Mapping[str, Any]], latency: Measurement | None = None
) -> LatencyInfo:
    """Lay out the rounds, each {"samples": seconds, "warmup": seconds, "contended": bool}, one
    after another.
    """
    divisor, suffix = formatting.axis_scale("s", [s for r in rounds for s in r["samples"]])
    kinds: dict[str, list[tuple[int, float]]] = {"calm": [], "contended": [], "warmup": []}
    starts, run = [], 0
    last = object()
    for number, entry in enumerate(rounds):
        if entry.get("round", number) != last:  # the turns of a round belong together
            starts.append(run)
        last = entry.get("round", number)
        timed = "contended" if entry.get("contended") else "calm"
        labelled = [
            *(("warmup", s) for s in entry.get("warmup", ())),
            *((timed, s) for s in entry["samples"]),
        ]
        for kind, seconds in labelled:
            kinds[kind].append((run, seconds / divisor))
            run += 1
    median, low, high = (None if v is None else v / divisor for v in _median_and_interval(latency))
    return LatencyInfo(
        tuple(kinds["calm"]),
        tuple(kinds["contended"]),
        tuple(kinds["warmup"]),
        tuple(starts),
        suffix,
        median,
        low,
        high,
        _note(rounds, kinds),
    )


def _median_and_interval(
    latency: Measurement | None,
) -> tuple[float | None, float | None, float | None]:
    return (latency.value, latency.low, latency.high) if latency else (None, None, None)


def _note(rounds: Sequence[Mapping[str, Any]], kinds: Mapping[str, Sequence[Any]]) -> str:
    disturbed = sum(bool(r.get("contended")) for r in rounds)
    timed = formatting.plural(len(kinds["calm"]) + len(kinds["contended"]), "timed run")
    warmup = formatting.plural(len(kinds["warmup"]), "warm-up run")
    several = len({r.get("round", n) for n, r in enumerate(rounds)})
    turns = f"{formatting.plural(len(rounds), 'turn')} of " if several < len(rounds) else ""
    noun = "turn" if turns else "round"
    text = f"{timed} in {turns}{formatting.plural(several, 'round')}; {warmup} not counted"
    return text + (
        f"; disturbed and left out: {formatting.plural(disturbed, noun)}" if disturbed else ""
    )


def latency_figure(info: LatencyInfo, mode: theme.Mode = "light") -> Any:
    """Draw every run as a dot, round after round, with the median and its interval."""
    import plotly.graph_objects as go

    ink = theme.INKS[mode]
    style = theme.styles(["calm"], mode)["calm"]
    figure = go.Figure(layout=_layout(info, mode))
    for name, runs, color, symbol in (
        ("timed runs", info.calm, style.color, "circle"),
        ("disturbed, left out", info.contended, theme.OKABE_ITO[1], "x"),
        ("warm-up, not counted", info.warmup, ink.muted, "circle-open"),
    ):
        if runs:
            figure.add_trace(_dots(name, runs, color, symbol, info.suffix))
    return figure


def _dots(
    name: str, runs: Sequence[tuple[int, float]], color: str, symbol: str, suffix: str
) -> dict[str, Any]:
    return {
        "type": "scattergl" if len(runs) >= WEBGL_FROM else "scatter",
        "mode": "markers",
        "name": name,
        "x": [run for run, _ in runs],
        "y": [time for _, time in runs],
        "marker": {"color": color, "symbol": symbol, "size": 5, "opacity": 0.75},
        "hovertemplate": "run %{x}: %{y:.3g} " + suffix + "<extra>" + name + "</extra>",
    }


def _layout(info: LatencyInfo, mode: theme.Mode) -> dict[str, Any]:
    ink = theme.INKS[mode]
    shapes = [_round_edge(start, ink) for start in info.starts[1:]]
    if info.low is not None and info.high is not None:
        shapes.append(
            {
                "type": "rect",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": info.low,
                "y1": info.high,
                "fillcolor": ink.muted,
                "opacity": 0.2,
                "line": {"width": 0},
                "layer": "below",
            }
        )
    if info.median is not None:
        shapes.append(
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": info.median,
                "y1": info.median,
                "line": {"color": ink.text, "width": 1.2, "dash": "dash"},
            }
        )
    return {
        "template": theme.template(mode),
        "height": HEIGHT,
        "shapes": shapes,
        "hovermode": "closest",
        "xaxis": {
            "title": {"text": "run, in measuring order (lines separate rounds)"},
            "showgrid": False,
        },
        "yaxis": {"title": {"text": f"time of one run ({info.suffix})"}, "rangemode": "tozero"},
    }


def _round_edge(start: int, ink: theme.Ink) -> dict[str, Any]:
    return {
        "type": "line",
        "yref": "paper",
        "x0": start - 0.5,
        "x1": start - 0.5,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": ink.grid, "width": 1},
    }


def quality_text(timing: Mapping[str, Any], precision: float, budget_s: float) -> str:
    """Describe the precision of a latency and the requested one: the limit of the interval and the
    time budget.

    Args:
        timing: the result of `lab.measure.quality.timing_of`.
    """
    reached = (
        f"±{100 * timing['half_width']:.2g} %"
        if timing.get("half_width") is not None
        else "no interval"
    )
    disturbed = ", ".join(
        f"{count} by"
        f" {by.replace('shared CPU', 'a shared CPU').replace('slow processor', 'a slow processor')}"
        for by, count in timing["disturbed"].items()
    )
    left_out = f"; disturbed: {disturbed}" if disturbed else "; none disturbed"
    return (
        f"The median is known to {reached} after {len(timing['rounds'])} rounds, each with a"
        f" freshly loaded model ({timing['turns']} turns, {timing['seconds']:.2g} s of"
        f" runs{left_out}). Requested: ±{100 * precision:g} %, or {budget_s:g} s per variant."
    )


def conditions_text(conditions: Mapping[str, Any]) -> str:
    """Describe the machine's state during the measurement; "" if unknown.

    Args:
        conditions: {"before", "after"}, each a result of `lab.measure.conditions.conditions`.
    """
    before, after = (conditions.get(when) or {} for when in ("before", "after"))
    parts = []
    if before.get("load") is not None and after.get("load") is not None:
        parts.append(f"load {before['load']:.1f} before and {after['load']:.1f} after")
    if after.get("clock_hz"):
        parts.append(f"clock {min(after['clock_hz']) / 1e9:.2g} GHz")
    if after.get("governor"):
        parts.append(f"governor {after['governor']}")
    if after.get("temperature_c") is not None:
        parts.append(f"{after['temperature_c']:.0f} °C")
    if before.get("throttled") is not None and after.get("throttled") is not None:
        parts.append(f"throttled {after['throttled'] - before['throttled']} times")
    unknown = [
        name
        for name, key in (("clock", "clock_hz"), ("temperature", "temperature_c"))
        if parts and after.get(key) is None
    ]
    hidden = f"; {' and '.join(unknown)} cannot be read here" if unknown else ""
    return f"While measuring: {', '.join(parts)}{hidden}." if parts else ""
