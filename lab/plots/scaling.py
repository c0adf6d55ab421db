"""Scaling of time with threads and batch size: curves, a table, and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.analysis.scaling import Curve, Dimension, Line, Point, Scaling
from lab.plots import formatting, theme
from lab.plots.table import remarks
from lab.types import Measurement

HEIGHT, STEPS = 320, 24
WORTH, SMALL = 1.01, 1e-3
"""Speed-ups and relative errors that are too small to mention."""
X_TITLES: Mapping[Dimension, str] = {"threads": "threads", "batch": "batch size"}
Y_TITLES: Mapping[Dimension, str] = {"threads": "speed-up", "batch": "items per second"}
Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Series:
    """One variant of a plot, in speed-up (threads) or items per second (batches).

    Attributes:
        points: (x, y, low, high); texts: the tooltip of each.
        fit: the fitted line as (x, y).
        floor: y if more brought nothing; ceiling: y at best by the fit, None where unknown.
    """

    name: str
    points: tuple[tuple[float, float, float, float], ...]
    texts: tuple[str, ...]
    fit: Pairs
    floor: float
    ceiling: float | None


@dataclass(frozen=True)
class ScalingInfo:
    """Values of a plot; `ideal` is the speed-up proportional to the threads, empty for batches."""

    dimension: Dimension
    series: tuple[Series, ...]
    ideal: Pairs


def scaling_info(scaling: Scaling, dimension: Dimension) -> ScalingInfo:
    """Lay out one dimension: the variant, and its float baseline beside it."""
    named = [
        (scaling.name, scaling.threads if dimension == "threads" else scaling.batch),
        (
            "float baseline",
            scaling.baseline_threads if dimension == "threads" else scaling.baseline_batch,
        ),
    ]
    series = tuple(_series(name, curve) for name, curve in named if curve.points)
    xs = sorted({x for s in series for x, *_ in s.points})
    return ScalingInfo(
        dimension, series, tuple((x, x / xs[0]) for x in xs) if dimension == "threads" else ()
    )


def _series(name: str, curve: Curve) -> Series:
    shown = [p.speedup if curve.dimension == "threads" else p.throughput for p in curve.points]
    points = tuple((float(p.value), *_ends(m)) for p, m in zip(curve.points, shown, strict=True))
    return Series(
        name,
        points,
        tuple(_point_text(name, curve, p) for p in curve.points),
        _fit(curve),
        points[0][1],
        curve.most_per_s,
    )


def _ends(m: Measurement) -> tuple[float, float, float]:
    low, high = (m.value if end is None else end for end in (m.low, m.high))
    return m.value, low, high


def _point_text(name: str, curve: Curve, point: Point) -> str:
    of = (
        formatting.plural(point.value, "thread")
        if curve.dimension == "threads"
        else f"batch {point.value}"
    )
    return (
        f"{name}, {of}<br>{formatting.measurement(point.latency)} per"
        f" call<br>{formatting.measurement(point.throughput)}<br>{times(point.speedup)}"
    )


def _fit(curve: Curve) -> Pairs:
    line, first, last = curve.line, curve.points[0], curve.points[-1]
    if line is None:
        return ()
    xs = [first.value * (last.value / first.value) ** (n / STEPS) for n in range(STEPS + 1)]
    seconds = [line.at(1 / x if curve.dimension == "threads" else x) for x in xs]
    above = first.latency.value if curve.dimension == "threads" else None
    return tuple((x, (above or x) / s) for x, s in zip(xs, seconds, strict=True) if s > 0)


def times(m: Measurement) -> str:
    """A speed-up: "1.62× (1.58–1.66×)"."""
    if m.low is None or m.high is None:
        return f"{formatting.digits(m.value)}×"
    return (
        f"{formatting.digits(m.value)}× ({formatting.digits(m.low)}–{formatting.digits(m.high)}×)"
    )


def scaling_figure(info: ScalingInfo, mode: theme.Mode = "light") -> Any:
    """Draw both axes in powers of two: dots with intervals, a thin fit, the ideal (or no gain)
    dashed, the maximum dotted.
    """
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(info, mode))
    blue = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    styles = ((blue, "circle"), (theme.INKS[mode].muted, "square-open"))
    if info.ideal:
        figure.add_trace(_line("ideal", info.ideal, theme.INKS[mode].muted, "dash"))
    for series, (color, symbol) in zip(info.series, styles, strict=False):
        for trace in _traces(series, info.dimension, color, symbol):
            figure.add_trace(trace)
    return figure


def _traces(
    series: Series, dimension: Dimension, color: str, symbol: str
) -> Iterator[dict[str, Any]]:
    ends = (series.points[0][0], series.points[-1][0])
    if dimension == "batch":
        yield _line(
            f"{series.name}: no gain", tuple((x, series.floor) for x in ends), color, "dash"
        )
        if series.ceiling:
            yield _line(
                f"{series.name}: most", tuple((x, series.ceiling) for x in ends), color, "dot"
            )
    if series.fit:
        yield _line(f"{series.name}: fit", series.fit, color, "solid")
    x, y, low, high = zip(*series.points, strict=True)
    yield {
        "type": "scatter",
        "mode": "markers",
        "name": series.name,
        "x": x,
        "y": y,
        "showlegend": True,
        "marker": {"color": color, "symbol": symbol, "size": 9},
        "hovertext": series.texts,
        "hoverinfo": "text",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [h - v for h, v in zip(high, y, strict=True)],
            "arrayminus": [v - b for v, b in zip(y, low, strict=True)],
            "thickness": 1,
            "width": 3,
            "color": color,
        },
    }


def _line(name: str, points: Pairs, color: str, dash: str) -> dict[str, Any]:
    x, y = zip(*points, strict=True)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "hoverinfo": "skip",
        "showlegend": name == "ideal",
        "line": {"color": color, "width": 1, "dash": dash},
    }


def _layout(info: ScalingInfo, mode: theme.Mode) -> dict[str, Any]:
    values = [v for s in info.series for _, *ys in s.points for v in (*ys, s.ceiling or ys[0])]
    values += [y for _, y in info.ideal]
    xs = sorted({x for s in info.series for x, *_ in s.points})
    return {
        "template": theme.template(mode),
        "height": HEIGHT,
        "hovermode": "closest",
        "xaxis": {
            "type": "log",
            "title": {"text": X_TITLES[info.dimension]},
            "tickvals": xs,
            "ticktext": [f"{x:g}" for x in xs],
        },
        "yaxis": (
            {"type": "log", "title": {"text": Y_TITLES[info.dimension]}}
            | _ticks(values, info.dimension)
        ),
    }


def _ticks(values: Sequence[float], dimension: Dimension) -> dict[str, Any]:
    """Return ticks at powers of two, times a round number for items per second: from the last one
    below the values on, at least two of them.
    """
    if not values:
        return {}
    unit = 1.0 if dimension == "threads" else float(f"{min(values):.1g}")
    first = unit * 2.0 ** math.floor(math.log2(min(values) / unit))
    last = max(1.08 * max(values), 2.1 * first)
    marks = [first * 2.0**n for n in range(64) if first * 2.0**n <= last]
    suffix = "×" if dimension == "threads" else ""
    return {
        "tickvals": marks,
        "ticktext": [f"{_plain(mark)}{suffix}" for mark in marks],
        "range": [math.log10(0.97 * first), math.log10(last)],
    }


def _plain(mark: float) -> str:
    return f"{mark:,.0f}" if mark >= 100 else f"{mark:g}"


# --- in words and numbers -------------------------------------------------------------------------


def scaling_texts(scaling: Scaling) -> tuple[str, ...]:
    """Describe the variant's curves, a sentence each."""
    texts = (threads_text(scaling.threads), batch_text(scaling.batch))
    return tuple(text for text in texts if text)


def threads_text(curve: Curve) -> str:
    """ "2 threads: 1.60× of 2× (1.55–1.65×); serial share 25 % ± 3 %."; empty before there are two
    points.
    """
    if len(curve.points) < 2:
        return _why_not(curve)
    first, last = curve.points[0], curve.points[-1]
    ideal = f"{formatting.digits(last.value / first.value)}×".replace(".00", "")
    head = (
        f"{last.value} threads: speed-up"
        f" {formatting.digits(last.speedup.value)}×{_between(last.speedup)} of an ideal {ideal}"
    )
    if gains(last.speedup):
        return f"{head}; {_serial(curve.line)}."
    return (
        f"{head}; more threads"
        f" {'cost time' if (last.speedup.high or last.speedup.value) < 1 else 'have no effect'}"
        " here."
    )


def _between(speedup: Measurement) -> str:
    return f" ({times(speedup).partition('(')[2]}" if speedup.low is not None else ""


def _serial(line: Line | None) -> str:
    share = line.share if line else 0.0
    error = f" ± {100 * line.share_error:.0f} %" if line and line.share_error else ""
    return f"serial share {100 * share:.0f} %{error}" if share > 0 else "no measurable serial share"


def gains(speedup: Measurement) -> bool:
    """Return True if a speed-up is more than chance and large enough to mention."""
    return (speedup.value if speedup.low is None else speedup.low) > 1 and speedup.value >= WORTH


def batch_text(curve: Curve) -> str:
    """Describe the gain from batches, the time per call and the time per item; empty with fewer
    than two points.
    """
    if len(curve.points) < 2:
        return _why_not(curve)
    best = max(curve.points, key=lambda p: p.throughput.value)
    if best is curve.points[0] or not gains(best.speedup):
        head = "Batches do not increase throughput"
    else:
        head = (
            f"Batch {best.value}: {formatting.value(best.throughput.value, '1/s')},"
            f" {formatting.digits(best.speedup.value)}× the throughput of single"
            f" items{_between(best.speedup)}"
        )
    return f"{head}; {_costs(curve)}."


def _costs(curve: Curve) -> str:
    line, last = curve.line, curve.points[-1]
    if line is None or line.per_s <= 0:
        return "the time does not grow linearly with the batch size"
    item = f"an item takes {_with_error(line.per_s, line.per_error_s)}"
    if (last.speedup.high or last.speedup.value) < 1 / WORTH:
        return (
            f"each item of batch {last.value} takes {formatting.digits(1 / last.speedup.value)}× as"
            " long"
        )
    if line.fixed_s <= 0:
        return f"{item}, with no measurable overhead per call"
    costs = f"a call takes {_with_error(line.fixed_s, line.fixed_error_s)} and {item}"
    return (
        f"{costs}, so the maximum is {formatting.value(curve.most_per_s, '1/s')}"
        if curve.most_per_s
        else costs
    )


def _with_error(seconds: float, error: float) -> str:
    return formatting.value(seconds, "s") + (
        f" ± {formatting.value(error, 's')}" if error > SMALL * seconds else ""
    )


def _why_not(curve: Curve) -> str:
    """Describe the first failure, once the rest has been measured."""
    if not curve.failed or not curve.points:
        return ""
    value, why = curve.failed[0]
    setting = (
        formatting.plural(value, "thread") if curve.dimension == "threads" else f"batch {value}"
    )
    return f"{formatting.capital(setting)} could not be measured: {why.split('. ')[0].rstrip('.')}."


def scaling_rows(scaling: Scaling) -> list[dict[str, str]]:
    """Return the numbers of the curves, one row per target."""
    named = (
        (scaling.name, scaling.threads),
        (scaling.name, scaling.batch),
        ("float baseline", scaling.baseline_threads),
        ("float baseline", scaling.baseline_batch),
    )
    return [row for name, curve in named for row in _rows(name, curve)]


def _rows(name: str, curve: Curve) -> Iterator[dict[str, str]]:
    for p in curve.points:
        efficiency = formatting.value(p.efficiency, "1")
        yield _row(
            name,
            curve,
            p.value,
            formatting.measurement(p.latency),
            formatting.measurement(p.throughput),
            times(p.speedup),
            efficiency,
            remarks(p.latency),
        )
    for value, why in curve.failed:
        yield _row(name, curve, value, "", "", "", "", why)


def _row(name: str, curve: Curve, value: int, *texts: str) -> dict[str, str]:
    setting = (
        formatting.plural(value, "thread") if curve.dimension == "threads" else f"batch {value}"
    )
    columns = ("Latency per call", "Items per second", "Speed-up", "Efficiency", "Remarks")
    return {"Variant": name, "Setting": setting, **dict(zip(columns, texts, strict=True))}


def scaling_json(scaling: Scaling) -> dict[str, Any]:
    """Return all values as JSON: {"variant", "threads", "batch", "baseline_threads",
    "baseline_batch"}.
    """
    names = ("threads", "batch", "baseline_threads", "baseline_batch")
    return {
        "variant": scaling.name,
        **{name: _curve_json(getattr(scaling, name)) for name in names},
    }


def _curve_json(curve: Curve) -> dict[str, Any]:
    points = [
        {
            "value": p.value,
            "trial": p.trial,
            "latency_s": p.latency.to_json(),
            "throughput_per_s": p.throughput.to_json(),
            "speedup": p.speedup.to_json(),
            "efficiency": p.efficiency,
        }
        for p in curve.points
    ]
    fit = (
        asdict(curve.line) | {"share": curve.line.share, "share_error": curve.line.share_error}
        if curve.line
        else None
    )
    return {
        "points": points,
        "fit": fit,
        "most_per_s": curve.most_per_s,
        "failed": [{"value": value, "message": why} for value, why in curve.failed],
    }
