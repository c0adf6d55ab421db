"""Progress of a guided search: share of the hypervolume over trials and minutes; and a comparison
of samplers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.analysis.hypervolume import LOST, Course, Found, Scale, Spent
from lab.plots import formatting, theme, words

HEIGHT, SHOWN = 300, 60
"""Pixels; and percent of the grid up to which samplers are compared."""
NAMES = {
    "ehvi": "Expected improvement",
    "tpe": "TPE (Optuna)",
    "nsga2": "NSGA-II (Optuna)",
    "random": "Random",
}
MARKS = (0.5, 0.95)
"""Shares of the hypervolume that the text names."""
Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class SearchInfo:
    """Values of the plot.

    Attributes:
        by_trials, by_minutes: (trials run or minutes of work, percent of the hypervolume); the
            latter is empty where times are not known.
        known: trials from the store, which are there at the start.
    """

    by_trials: Pairs
    by_minutes: Pairs
    known: int


def search_info(course: Course) -> SearchInfo:
    """Lay out a course; trials from the store are one point, at 0."""
    start = [p for p in course.points if p.tried == 0][-1:]
    shown = [*start, *(p for p in course.points if p.tried)]
    by_trials = tuple((float(p.tried), 100 * p.share) for p in shown)
    timed = [(p.seconds / 60, 100 * p.share) for p in shown if p.seconds is not None]
    return SearchInfo(by_trials, tuple(timed) if len(timed) == len(shown) else (), course.known)


def search_figure(info: SearchInfo, key: str, mode: theme.Mode = "light") -> Any:
    """Draw the share of the hypervolume as steps over trials and minutes.

    Args:
        key: while it stays, a redraw keeps the zoom.
    """
    import plotly.graph_objects as go

    both = bool(info.by_minutes)
    y = {"title": {"text": "hypervolume, %"}, "range": [0, 104]}
    layout: dict[str, Any] = {
        "template": theme.template(mode),
        "height": HEIGHT,
        "showlegend": False,
        "hovermode": "closest",
        "uirevision": key,
        "xaxis": {
            "title": {"text": "trials run"},
            "rangemode": "tozero",
            "domain": [0, 0.47] if both else [0, 1],
        },
        "yaxis": y,
    }
    if both:
        layout |= {
            "xaxis2": {
                "title": {"text": "minutes of work"},
                "rangemode": "tozero",
                "domain": [0.53, 1],
                "anchor": "y2",
            },
            "yaxis2": y | {"anchor": "x2", "matches": "y", "title": {"text": ""}},
        }
    return go.Figure(list(_curves(info, mode)), layout)


def _curves(info: SearchInfo, mode: theme.Mode) -> Iterator[dict[str, Any]]:
    color = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    for pairs, axis, unit in (
        (info.by_trials, "", "%{x:.0f} trials"),
        (info.by_minutes, "2", "%{x:.1f} minutes"),
    ):
        if pairs:
            x, values = zip(*pairs, strict=True)
            yield {
                "type": "scatter",
                "x": x,
                "y": values,
                "mode": "lines+markers",
                "line": {"color": color, "shape": "hv", "width": 2},
                "marker": {"size": 5, "color": color},
                "xaxis": f"x{axis}",
                "yaxis": f"y{axis}",
                "hovertemplate": f"{unit}: %{{y:.1f}} %<extra></extra>",
            }


# --- in words -------------------------------------------------------------------------------------


def search_text(course: Course, spent: Spent) -> str:
    """ "40 of at most 60 trials run; the hypervolume reached 95 % after 23 trials"."""
    limit = (
        f" in {spent.minutes:.1f} of at most {spent.of_minutes:g} minutes"
        if spent.of_minutes
        else f" in {spent.minutes:.1f} minutes"
    )
    from_store = (
        f"; {formatting.plural(spent.known, 'more trial')} came from the store"
        if spent.known
        else ""
    )
    marks = [
        f"{100 * mark:.0f} % after {_when(at)}" for mark in MARKS if (at := _reached(course, mark))
    ]
    reached = f". The hypervolume reached {' and '.join(marks)}" if marks else ""
    return (
        f"{spent.trials} of at most {formatting.plural(spent.of_trials, 'trial')}"
        f" run{limit}{from_store}{reached}."
    )


def _reached(course: Course, share: float) -> Found | None:
    return next((p for p in course.points if p.share >= share - 1e-9 and course.volume), None)


def _when(point: Found) -> str:
    return formatting.plural(point.tried, "trial") if point.tried else "the trials from the store"


def reference_text(course: Course, units: Mapping[str, str]) -> str:
    """Describe the reference point of the hypervolume.

    Args:
        units: metric -> unit.
    """
    named = {
        kind: [words.plain(s.metric) for s in course.scales if s.tenths == kind]
        for kind in (True, False)
    }
    counted = [
        f"{words.joined(names)} in {what}"
        for what, names in (("points", named[True]), ("halvings", named[False]))
        if names
    ]
    beyond = ", ".join(_beyond(scale, units.get(scale.metric, "")) for scale in course.scales)
    return (
        f"Hypervolume against the worst float baseline, with {words.joined(counted)}. Trials with"
        f" {beyond} do not count."
    )


def _beyond(scale: Scale, unit: str) -> str:
    value = formatting.value(scale.reference, unit)
    less = f" ({100 * LOST:.0f} points from float)" if scale.tenths else ""
    return f"{words.plain(scale.metric)} {'below' if scale.maximize else 'above'} {value}{less}"


# --- samplers beside each other -------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """One sampler over several seeds: median, lowest and highest percent of the grid's hypervolume,
    by share of the grid in percent.
    """

    name: str
    x: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def band(name: str, runs: Sequence[Sequence[float]], grid: int) -> Band:
    """Summarise runs of one sampler.

    Args:
        runs: for each seed the share of the grid's hypervolume after each trial.
        grid: number of trials in the grid.
    """
    import numpy as np

    length = max(len(run) for run in runs)
    values = 100 * np.array([[*run, *[run[-1]] * (length - len(run))] for run in runs])
    x = tuple(float(100 * (n + 1) / grid) for n in range(length))
    middle, low, high = np.median(values, axis=0), values.min(axis=0), values.max(axis=0)
    return Band(name, x, tuple(middle.tolist()), tuple(low.tolist()), tuple(high.tolist()))


def bands_figure(
    panels: Mapping[str, Sequence[Band]],
    mode: theme.Mode = "light",
    marks: tuple[float, float] = (35, 95),
) -> Any:
    """A panel for each recorded grid: median as a line, range over seeds as a band.

    Args:
        marks: percent of the grid and of the hypervolume between which a good sampler gets.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        layout={"template": theme.template(mode), "height": 360, "hovermode": "closest"}
    )
    style = theme.styles(dict.fromkeys(b.name for bands in panels.values() for b in bands), mode)
    for number, (title, bands) in enumerate(panels.items()):
        axis = "" if number == 0 else str(number + 1)
        figure.add_traces(
            [_range(one, style[one.name].color, axis) for one in bands]
        )  # below all lines
        figure.add_traces(
            [_median(one, style[one.name].color, axis, first=number == 0) for one in bands]
        )
        figure.update_layout(_axes(number, len(panels), title, axis))
    return figure.update_layout(
        shapes=[s for n in range(len(panels)) for s in _marks(n, marks, mode)]
    )


def _on(one: Band, axis: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "legendgroup": one.name,
        "name": one.name,
        "mode": "lines",
    }


def _range(one: Band, color: str, axis: str) -> dict[str, Any]:
    return _on(one, axis) | {
        "x": [*one.x, *one.x[::-1]],
        "y": [*one.high, *one.low[::-1]],
        "fill": "toself",
        "line": {"width": 0},
        "fillcolor": f"rgba({theme.rgb(color)},0.12)",
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _median(one: Band, color: str, axis: str, *, first: bool) -> dict[str, Any]:
    return _on(one, axis) | {
        "x": one.x,
        "y": one.median,
        "line": {"color": color, "width": 2.5},
        "showlegend": first,
        "hovertemplate": (
            f"{one.name}: %{{y:.1f}} % after %{{x:.0f}} % of the trials<extra></extra>"
        ),
    }


def _axes(number: int, panels: int, title: str, axis: str) -> dict[str, Any]:
    width, gap = 1 / panels, 0.05 * (number > 0)
    name = "hypervolume, % of the grid's" if number == 0 else ""
    return {
        f"xaxis{axis}": {
            "title": {"text": f"trials run, % of the grid<br>{title}"},
            "anchor": f"y{axis}",
            "range": [0, SHOWN],
            "domain": [number * width + gap, (number + 1) * width],
        },
        f"yaxis{axis}": {"title": {"text": name}, "range": [40, 101], "anchor": f"x{axis}"},
    }


def _marks(number: int, marks: tuple[float, float], mode: theme.Mode) -> list[dict[str, Any]]:
    axis, (share, reached) = "" if number == 0 else str(number + 1), marks
    line = {
        "type": "line",
        "xref": f"x{axis}",
        "yref": f"y{axis}",
        "line": {"color": theme.INKS[mode].muted, "width": 1, "dash": "dot"},
    }
    return [
        line | {"x0": share, "x1": share, "y0": 0, "y1": 101},
        line | {"x0": 0, "x1": SHOWN, "y0": reached, "y1": reached},
    ]
